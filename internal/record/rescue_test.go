package record

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
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
