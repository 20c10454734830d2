package record

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/vm"
	"github.com/vmblame/vmblame/tracer"
)

// kept is a sink that keeps the types of what it gets, and the end.
type kept struct {
	types []string
	end   eventlog.End
	notes []string
}

func (k *kept) Put(r eventlog.Record) error {
	k.types = append(k.types, r.Type())
	switch r := r.(type) {
	case *eventlog.End:
		k.end = *r
	case *eventlog.Note:
		k.notes = append(k.notes, r.Code+": "+r.Text)
	}
	return nil
}

// TestRescue: a bug of ours ends the recording, not the log and not the program, whose exit status is known.
func TestRescue(t *testing.T) {
	r := newRecorder(Options{Command: []string{"x"}})
	cmd := exec.Command("sh", "-c", "exit 5")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.mainPID = cmd.Process.Pid
	k := &kept{}
	out, err := r.run([]eventlog.Sink{k}, func() error {
		r.out.queue.Put(&eventlog.Header{})
		r.out.queue.Put(&eventlog.Drift{})
		var nobody *task
		nobody.name = "x"
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "internal error") || !strings.Contains(err.Error(), "rescue_test.go:") {
		t.Errorf("error %v", err)
	}
	if out.Exit == nil || out.Exit.Code == nil || *out.Exit.Code != 5 {
		t.Errorf("exit %+v", out.Exit)
	}
	if got := strings.Join(k.types, " "); got != "header drift note end" {
		t.Errorf("records: %s", got)
	}
	if k.end.Cause != "failed" || k.end.Drifts != 1 || len(k.notes) != 1 || !strings.HasPrefix(k.notes[0], "failed: internal error") {
		t.Errorf("end %+v, notes %q", k.end, k.notes)
	}
}

// What waits behind a call that has not returned is written, and that the ledger was not compared is said.
func TestAbandon(t *testing.T) {
	p := newRecorded(t, "7f0000000000-7f0000002000 rw-p\n")
	p.sp.users = 2
	at := vm.Range{Start: 0x7f0000000000, End: 0x7f0000001000}
	munmap := recordedCall(tracer.ABI64, "munmap", vm.Op{Kind: vm.OpUnmap, Range: at, Addr: at.Start, Len: at.Len()})
	p.r.handle(&tracer.Stop{Kind: tracer.Entered, Thread: p.thread, Call: &munmap})
	p.r.out.note("info", "behind", "")
	p.expect(p.lines())
	p.r.expected[200] = &inheritance{parent: p.sp, forked: p.r.space(p.sp.mm.Fork(), nil)} // a child that has not begun
	p.r.abandon()
	p.expect(p.lines(), "drift uncertain order; 0x7f0000000000-0x7f0000001000 rw-p: nothing", "note behind", "note unverified", "note unverified")
}
