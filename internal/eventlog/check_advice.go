package eventlog

import "github.com/vmblame/vmblame/internal/vm"

// advised checks a call that moves pages: it must be made by a living thread and have the arguments of its man page, a result or an error, and figures
// that its range can have.
func (c *checker) advised(r *Advice) {
	s := c.p.Space(r.Space)
	if !c.must(s != nil, "advice: space %d is not known", r.Space) {
		return
	}
	if err := s.comesAfter(r.After); err != nil {
		c.problem("advice in space %d: %v", r.Space, err)
	}
	c.must(c.header == nil || c.header.Advice != "", "advice: the header says that none was recorded")
	t, ok := c.live[r.TID]
	if c.must(ok, "advice: thread %d has not started, or has ended", r.TID) {
		c.must(t.pid == r.PID && t.space == r.Space, "advice: thread %d is one of process %d in space %d, not of %d in %d", r.TID, t.pid, t.space, r.PID, r.Space)
	}
	c.must(r.Call == "madvise", "advice: %q gives none", r.Call)
	c.must((r.Error == "") == (r.Result != nil), "advice: neither or both of result and error")
	c.must(r.Error == "" || c.errnos[r.Error], "advice: %q is no errno's name", r.Error)
	c.must(r.Result == nil || r.Result.Value == 0, "advice: it succeeded, and did not return 0")
	if !c.users[r.Space].isBlind() {
		c.fits(r.AsEvent(), s)
	}
	advice, has := r.Args.Get("advice")
	c.must(has && (advice.Text != "" || vm.AdviceMovesPages(uint64(advice.Value))), "advice: %d moves no pages", advice.Value)
	counted := c.header != nil && c.header.Advice == "counted"
	c.must(counted || r.Before == nil && r.Left == nil, "advice: figures, though the header says that nobody counted")
	at, ok := r.Range()
	if !c.must(ok, "advice: no range of pages") {
		return
	}
	for _, n := range []*int64{r.Before, r.Left} {
		c.must(n == nil || *n >= 0 && uint64(*n) <= at.Len() && *n%vm.PageSize == 0, "advice: %d bytes of %v are in memory", deref(n), at)
	}
}

func deref(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

// Range is what the advice is about, in whole pages; ok is false where the call does not say.
func (r *Advice) Range() (at vm.Range, ok bool) {
	at, ok = r.AsEvent().span("addr", "length")
	at.Start = vm.PageDown(at.Start)
	return at, ok
}

// Kind is the value of madvise(2)'s advice argument, -1 where it is not a number.
func (r *Advice) Kind() int64 {
	a, ok := r.Args.Get("advice")
	if !ok || a.Text != "" {
		return -1
	}
	return a.Value
}
