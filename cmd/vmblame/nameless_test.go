package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/text"
)

// TestNamelessHints: a view that shows an address instead of a name says what would give it, and no view does
// once the name is there.
func TestNamelessHints(t *testing.T) {
	e := recordedElsewhere(t, "log.jsonl")
	addr := ""
	for _, event := range pick[*eventlog.Event](records(t, e.log)) {
		for _, c := range event.Changes {
			if c.Now != nil && c.End-c.Start == 0x41000 {
				addr = c.Start.String()
			}
		}
	}
	named := filepath.Join(e.dir, "named.jsonl")
	vmblame(t, e.dir, "symbolize", e.log, "--debug-dir="+e.debug, "-o", named).wants(t, 0)
	views := [][]string{{"report", e.log}, {"report", "--by", "stack", e.log + "@peak"}, {"blame", e.log, addr}, {"history", e.log, addr}, {"diff", e.log + "@0", e.log}}
	hint := "names of program: its debug file /usr/lib/debug/.build-id/" + e.id[:2] + "/" + e.id[2:] + ".debug"
	for _, args := range views {
		r := vmblame(t, e.dir, args...)
		r.wants(t, 0)
		if !strings.Contains(r.stdout, "program+0x") || !strings.Contains(r.stdout, hint) || !strings.HasSuffix(r.stdout, "\nthen: vmblame symbolize "+e.log+"\n") {
			t.Errorf("%v:\n%s", args, r.stdout)
		}
		for i, a := range args {
			args[i] = strings.ReplaceAll(a, e.log, named)
		}
		r = vmblame(t, e.dir, args...)
		r.wants(t, 0)
		if !strings.Contains(r.stdout, "hidden") || strings.Contains(r.stdout, "names of program") {
			t.Errorf("%v, with names:\n%s", args, r.stdout)
		}
	}
}

// TestHintsArePrintable: what a log says of a file does not reach the terminal as it is.
func TestHintsArePrintable(t *testing.T) {
	list := []analysis.Unnamed{{Module: analysis.Module{Path: "/no/such\x1b[31mfile", BuildID: "ab\x1b[2Jcd"}}}
	supply(list)
	got := string(appendHints(nil, list, text.Style{Whole: true}, "log"))
	if !strings.HasPrefix(got, "names of such") || strings.Contains(got, "\x1b") {
		t.Errorf("%q", got)
	}
}
