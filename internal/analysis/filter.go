package analysis

import (
	"regexp"
	"strings"
)

// A Filter chooses what an answer is about. What is nil or 0 chooses all.
type Filter struct {
	Kind     *regexp.Regexp // the kind's word or its label: "glibc-arena", "thread stack of thread 9838 worker"
	Function *regexp.Regexp // a function on the stack of the call that made it
	File     *regexp.Regexp // the path of the file that is mapped, or the kernel's name for it
	Thread   *regexp.Regexp // number and name of the thread that made it, or that it belongs to: "9838 worker"
	Since    *Moment        // made behind it
	since    int64          // t of Since
	sinceSeq uint64
}

// any reports whether f chooses less than all.
func (f *Filter) any() bool {
	return f != nil && (f.Kind != nil || f.Function != nil || f.File != nil || f.Thread != nil || f.Since != nil)
}

// words say what a filter chooses: "kind arena, thread worker, since 1.5s"; "" for all.
func (f *Filter) words() string {
	var list []string
	for _, x := range [...]struct {
		name string
		re   *regexp.Regexp
	}{{"kind", f.Kind}, {"function", f.Function}, {"file", f.File}, {"thread", f.Thread}} {
		if x.re != nil {
			list = append(list, x.name+" "+x.re.String())
		}
	}
	if f.Since != nil {
		list = append(list, "since "+f.Since.String())
	}
	return strings.Join(list, ", ")
}

// Choose removes from s what f does not match, so that the totals of all answers are those of the rest. open opens
// the log once more if f.Since is not a time.
func (s *State) Choose(open Open, f Filter) error {
	if !f.any() {
		return nil
	}
	if err := f.find(open); err != nil {
		return err
	}
	s.only = &f
	for _, p := range s.processes {
		kept := p.mappings[:0]
		for i := range p.mappings {
			if s.chooses(p, &p.mappings[i]) {
				kept = append(kept, p.mappings[i])
			}
		}
		p.mappings, p.objects = kept, nil
	}
	return nil
}

// find resolves the filter's Since to a time.
func (f *Filter) find(open Open) error {
	switch m := f.Since; {
	case m == nil:
	case m.Kind == AtTime:
		f.since = m.T
	case m.Kind == AtSeq:
		f.sinceSeq = m.Seq
	case m.Kind == AtStart:
		s, err := Load(open, *m, nil)
		if err != nil {
			return err
		}
		f.since = s.T
	default:
		s, err := Load(open, *m, nil)
		if err != nil {
			return err
		}
		f.sinceSeq = s.Seq
	}
	return nil
}

// after reports whether an event lies behind Since.
func (f *Filter) after(t int64, seq uint64) bool {
	return f.Since == nil || t > f.since && seq > f.sinceSeq
}

// chooses reports whether the filter of s, nil for none, chooses a mapping.
func (s *State) chooses(p *process, x *mapping) bool {
	f := s.only
	if f == nil {
		return true
	}
	if f.Since != nil && (x.event == nil || !f.after(x.event.T, x.event.Seq)) {
		return false
	}
	if f.Kind != nil && !f.Kind.MatchString(string(x.Kind)) && !f.Kind.MatchString(kindDetail(x)) {
		return false
	}
	if f.File != nil && !f.File.MatchString(x.File.Path) {
		return false
	}
	if f.Thread != nil && !f.Thread.MatchString(s.threadOf(p, x)) && (x.event == nil || !f.Thread.MatchString(s.thread(x.event.TID, x.event.T))) {
		return false
	}
	stack := 0
	if x.event != nil {
		stack = x.event.Stack
	}
	return f.Function == nil || s.calls(stack, f.Function)
}

// calls reports whether a function on a stack matches.
func (s *State) calls(stack int, re *regexp.Regexp) bool {
	for st := range s.names.walk(stack) {
		if re.MatchString(st.name) {
			return true
		}
	}
	return false
}

// choosesCall reports whether the filter of s matches a call by its time, thread and stack; the filter's other
// criteria are for mappings.
func (s *State) choosesCall(seq uint64, t int64, tid, stack int) bool {
	f := s.only
	return f == nil || f.after(t, seq) && (f.Thread == nil || f.Thread.MatchString(s.thread(tid, t))) && (f.Function == nil || s.calls(stack, f.Function))
}
