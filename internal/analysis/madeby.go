package analysis

import (
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/strace"
)

// madeBy formats what is kept of a call as strace would: "mmap(NULL, 134217728, PROT_NONE, …)".
func madeBy(e *classify.Event) string {
	r := eventlog.Event{Call: e.Call, Result: &eventlog.Result{Value: int64(e.Result), Address: true}}
	arg := func(name string, v uint64, address bool) {
		r.Args = append(r.Args, eventlog.Arg{Name: name, Value: int64(v), Address: address})
	}
	switch e.Call {
	case "mmap", "mmap2":
		arg("addr", e.Addr, true)
		arg("length", e.Length, false)
		arg("prot", e.Prot, false)
		arg("flags", e.Flags, false)
		arg("fd", uint64(e.FD), false)
	case "brk":
		arg("addr", e.Addr, true)
	default:
		return e.Call
	}
	return string(strace.AppendCall(nil, &r))
}
