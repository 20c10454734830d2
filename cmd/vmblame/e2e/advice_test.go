package e2e

import (
	"fmt"
	"slices"
	"testing"
)

// TestAdvice: each call that gives pages back or asks for them is told of, in its thread's order and with the function that made it;
// where a call is seen at its entry, what of its range was in memory before and behind it is what the program says. Nothing is told of
// advice where nobody asked for it.
func TestAdvice(t *testing.T) {
	for _, backend := range []string{"seccomp", "syscall", "sigtrap"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			needBackend(t, backend)
			r := trace(t, []string{"--advice", "--backend=" + backend}, "advice")
			// A thread that blocks SIGTRAP is noticed behind its first call.
			r.hold(t, allow{uncertain: backend == "sigtrap", otherDrift: backend == "sigtrap"})
			counted := backend != "sigtrap"
			if want := map[bool]string{true: "counted", false: "uncounted"}[counted]; r.log.header.Advice != want {
				t.Errorf("the header says %q of advice, want %q", r.log.header.Advice, want)
			}
			got, want := map[int][]string{}, map[int][]string{}
			for _, a := range r.account.other["advice"] {
				tid := int(a.number("tid"))
				figures := "uncounted"
				if counted {
					figures = a["before"] + " " + a["left"]
				}
				if a["before"] == "-1" { // mincore(2) refuses what has a hole or is no range of pages
					figures = ""
				}
				want[tid] = append(want[tid], fmt.Sprintf("%s %x+%d %s %q %s", a["fn"], a.number("addr"), a.number("len"), a["advice"], a["error"], figures))
			}
			for _, a := range r.log.advice {
				at, _ := a.Args.Get("addr")
				length, _ := a.Args.Get("length")
				fn := slices.IndexFunc(r.names(*a.Stack), func(name string) bool {
					return slices.Contains([]string{"gives_back", "gives_nothing", "may_go", "asks", "is_refused", "goes_on"}, name)
				})
				if fn < 0 {
					continue // the C library's, of the stack of a thread that ends
				}
				figures := "uncounted"
				switch name := r.names(*a.Stack)[fn]; {
				case name == "goes_on":
					figures = ""
					if counted && (a.Before == nil || a.Left == nil || *a.Left != 0) {
						t.Errorf("of a range with a hole nobody counted: %+v", a)
					}
				case name == "is_refused":
					figures = ""
					if a.Before != nil || a.Left != nil {
						t.Errorf("figures of no range of pages: %+v", a)
					}
				case a.Before != nil && a.Left != nil:
					figures = fmt.Sprint(*a.Before, *a.Left)
				}
				got[a.TID] = append(got[a.TID], fmt.Sprintf("%s %x+%d %d %q %s", r.names(*a.Stack)[fn], uint64(at.Value), length.Value, a.Kind(), a.Error, figures))
			}
			if len(want) != 4 {
				t.Errorf("%d threads gave advice", len(want))
			}
			untold := 0
			for tid, list := range want {
				told := got[tid]
				for _, line := range list {
					if len(told) > 0 && told[0] == line {
						told = told[1:]
					} else if untold++; counted {
						t.Fatalf("thread %d: not told of:\n%v\nbut\n%v", tid, line, told[:min(1, len(told))])
					}
				}
				if len(told) > 0 {
					t.Errorf("thread %d: told of, but not made: %v", tid, told)
				}
			}
			// What a thread does between the moments at which it blocks SIGTRAP and at which that is noticed is counted, no more.
			if counted {
				return
			}
			said := 0
			for _, n := range r.log.notes {
				if n.Code == "advice-incomplete" {
					_, _ = fmt.Sscan(n.Text, &said)
				}
			}
			if untold > 60 || untold > said {
				t.Errorf("not told of: %d calls; said: %d", untold, said)
			}
		})
	}
	if r := trace(t, nil, "advice"); len(r.log.advice) > 0 || r.log.header.Advice != "" {
		t.Errorf("advice in a log that nobody asked for it: %+v", r.log.header)
	}
}
