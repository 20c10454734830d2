package html

import (
	"fmt"

	"github.com/vmblame/vmblame/internal/analysis"
)

// what returns the index of what a mapping is.
func (b *builder) what(h *analysis.Held) int {
	n, fresh := b.whats.of(what{h.Perms, h.Path, h.Label, h.Name, h.Evidence, string(h.Kind), string(h.Confidence), h.Heading.Word, h.Owner})
	if !fresh {
		return n
	}
	heading, fresh := b.headings.of(h.Heading.Word)
	if fresh {
		b.v.Headings = append(b.v.Headings, Heading{h.Heading.Word, h.Heading.Words.One, h.Heading.Words.Many})
	}
	w := &b.v.Whats
	for _, c := range []struct {
		list *[]int
		text string
	}{{&w.Perms, h.Perms}, {&w.Path, h.Path}, {&w.Label, h.Label}, {&w.Kind, string(h.Kind)}, {&w.Name, h.Name}, {&w.Confidence, string(h.Confidence)}, {&w.Evidence, h.Evidence}} {
		*c.list = append(*c.list, b.text(c.text))
	}
	w.Owner, w.Heading = append(w.Owner, h.Owner), append(w.Heading, heading)
	return n
}

// maker returns the index of who made a mapping.
func (b *builder) maker(s *analysis.State, process int, h *analysis.Held) int {
	key := maker{process: process, pid: h.PID, tid: h.TID, stack: h.Stack, event: -1, cause: h.Cause, call: h.Call, thread: h.Thread}
	if h.Origin != nil {
		key.event = int64(*h.Origin)
	}
	if h.T != nil {
		key.t = *h.T
	}
	n, fresh := b.makers.of(key)
	if !fresh {
		return n
	}
	m := &b.v.Makers
	m.Origin, m.T = append(m.Origin, h.Origin), append(m.T, key.t)
	m.Cause, m.Call, m.Thread = append(m.Cause, b.text(h.Cause)), append(m.Call, b.text(h.Call)), append(m.Thread, b.text(h.Thread))
	m.PID, m.TID, m.Stack = append(m.PID, h.PID), append(m.TID, h.TID), append(m.Stack, h.Stack)
	m.Chain = append(m.Chain, b.chain(h.Who))
	b.stack(s, h.Stack)
	return n
}

// chain returns the index of a chain of calls.
func (b *builder) chain(who analysis.Who) int {
	c := Chain{Calls: make([]int, len(who.Calls)), Keep: who.Keep}
	for i, call := range who.Calls {
		c.Calls[i] = b.text(call)
	}
	key := fmt.Sprint(c)
	n, known := b.chains[key]
	if !known {
		n = len(b.v.Chains)
		b.chains[key] = n
		b.v.Chains = append(b.v.Chains, c)
	}
	return n
}

// stack adds a stack of the log by its number; 0 is none.
func (b *builder) stack(s *analysis.State, id int) {
	if _, known := b.v.Stacks[id]; known || id == 0 {
		return
	}
	frames, end := s.Frames(id)
	x := Stack{Frames: make([]int, len(frames)), End: end}
	f := &b.v.Frames
	for i := range frames {
		e := &frames[i]
		n, fresh := b.frames.of(frame{e.Function, e.Module, e.File, uint64(e.Offset), e.Line, e.Inlined})
		if fresh {
			f.Function, f.Module, f.File = append(f.Function, b.text(e.Function)), append(f.Module, b.text(e.Module)), append(f.File, b.text(e.File))
			inlined := 0
			if e.Inlined {
				inlined = 1
			}
			f.Offset, f.Line, f.Inlined = append(f.Offset, uint64(e.Offset)), append(f.Line, e.Line), append(f.Inlined, inlined)
		}
		x.Frames[i] = n
	}
	b.v.Stacks[id] = x
}
