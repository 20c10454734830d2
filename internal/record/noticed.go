package record

import (
	"fmt"

	"github.com/vmblame/vmblame/tracer"
)

// noticed tells the user, once for each program, what the program cannot do, or does differently, because vmblame
// traces it.
func (r *Recorder) noticed(t *task, n tracer.Notice) {
	sp := t.space
	if sp == nil || sp.noticed[n] {
		return
	}
	if sp.noticed == nil {
		sp.noticed = make(map[tracer.Notice]bool)
	}
	sp.noticed[n] = true
	who := fmt.Sprintf("pid %d %s", t.pid, t.name)
	switch n {
	case tracer.TracesTracee:
		r.out.note("warning", "nested-tracer", who+" would trace what vmblame traces, and is refused (EPERM): --no-seccomp --no-follow leaves forked children to it")
	case tracer.StrictSeccomp:
		r.out.note("warning", "strict-seccomp", who+" asks for seccomp's strict mode, and is refused (EINVAL) because of vmblame's filter: --no-seccomp has none")
	case tracer.TraceFilter:
		r.out.note("warning", "trace-filter", who+" installs a filter that hands calls to a tracer (SECCOMP_RET_TRACE): vmblame lets them pass, and without a tracer they fail (ENOSYS): --no-seccomp")
	}
}
