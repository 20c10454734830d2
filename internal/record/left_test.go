package record

import (
	"bytes"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/tracer"
)

// TestLeftBeforeItsFirstStop: a process that the program left is told of, although its first stop comes after the end of the
// program.
func TestLeftBeforeItsFirstStop(t *testing.T) {
	r := newRecorder(Options{Command: []string{"x"}})
	rung := make(chan struct{}, 1)
	r.wake = newWake(func() {
		select {
		case rung <- struct{}{}:
		default:
		}
	})
	var said bytes.Buffer
	r.out.warnings = &said
	_, err := r.run([]eventlog.Sink{&kept{}}, func() error {
		r.expected[7] = &inheritance{}
		r.mainEnded()
		<-rung
		delete(r.expected, 7)
		r.tasks[7] = &task{thread: &tracer.Thread{TID: 7, TGID: 7}, pid: 7, name: "daemon"}
		for said.Len() == 0 {
			r.wake.answer()
			<-rung
		}
		return nil
	})
	if err != nil || !strings.Contains(said.String(), "7 daemon") {
		t.Errorf("said %q, %v", said.String(), err)
	}
}
