package report

import (
	"fmt"
	"strings"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/text"
	"github.com/vmblame/vmblame/internal/vm"
)

// Text tells the biography, a line for each step.
func (b *Biography) Text(stacks bool, l text.Style) []byte {
	var out []byte
	for i, c := range b.chapters {
		if i > 0 {
			out = append(out, '\n')
		}
		out = b.chapterText(out, c, stacks, l)
	}
	if len(b.chapters) == 0 {
		return fmt.Appendf(out, "0x%x: nothing was ever mapped there up to %s\n", b.addr, b.momentText())
	}
	return out
}

func (b *Biography) chapterText(out []byte, c *chapter, stacks bool, l text.Style) []byte {
	exe := ""
	if c.space.Exe != "" {
		exe = " " + (&process{SpaceState: c.space}).name()
	}
	out = fmt.Appendf(out, "0x%x in pid %d%s\n", b.addr, c.space.PID, exe)
	g := &text.Table{Indent: 2, Columns: []text.Column{
		{Right: true}, {Color: text.Kind}, {Right: !l.Whole && l.Width < 100}, {Limit: max(20, l.Width/4)}, {}, {},
	}}
	story := b.story(c)
	left := 0 // out
	if most := 2 * ends; !l.Whole && len(story) > most+1 {
		left = len(story) - most
	}
	rows := func(yield func([]text.Cell) bool) {
		for i := range story {
			h := &story[i]
			ok := true
			switch {
			case left > 0 && i == ends:
				ok = yield(text.Banner(fmt.Sprintf("  ... %d steps more (through a pipe all of them are shown)", left)))
			case left > 0 && i > ends && i < ends+left:
			case h.verb == repeated:
				ok = yield(text.Banner(fmt.Sprintf("  %s  and so on: the same %s %d times more", text.When(h.last), stepsText(h.steps), h.times)))
			default:
				ok = yield(b.stepRow(h, c, l))
				if ok && stacks && h.stack != 0 {
					ok = yield(text.Banner(b.stepStack(h)))
				}
			}
			if !ok {
				return
			}
		}
	}
	out = g.AppendRows(out, l, rows)
	out = append(out, "now: "+text.Printable(b.nowText(c, l))+"\n"...)
	return fmt.Appendf(out, "next: vmblame blame %s 0x%x\n", l.Log, b.addr)
}

// stepRow is the line of a step.
func (b *Biography) stepRow(h *happening, c *chapter, l text.Style) []text.Cell {
	thread := ""
	if h.tid != 0 {
		thread = b.thread(h.tid, h.t)
	}
	verb, when := h.verb, text.When(h.t)
	if h.times > 0 {
		verb += fmt.Sprintf(" %d times", h.times+1)
		when = text.When(h.last)
	}
	return []text.Cell{text.Plain(when), text.Plain(verb), text.Plain(placeText(h.Range, l)), text.Plain(h.whatText()), text.Plain(thread), whoCell(b.whoDid(h, c))}
}

// stepStack is the call of a step with its arguments, and its stack.
func (b *Biography) stepStack(h *happening) string {
	call := ""
	if h.text != "" {
		call = fmt.Sprintf("   event %d: %s\n", h.seq, text.Printable(h.text))
	}
	return strings.TrimRight(call+string(appendStack(nil, b.framesOf(h.stack), b.names.stackEnd(h.stack))), "\n")
}

// ends is how many of the first and of the last steps a terminal shows.
const ends = 50

func stepsText(n int) string {
	if n == 1 {
		return "step"
	}
	return fmt.Sprintf("%d steps", n)
}

// whatText is what stood there, and whether something had before.
func (h *happening) whatText() string {
	if h.reused {
		return h.what + " (reused)"
	}
	return h.what
}

// placeText is where a step happened; a narrow terminal has room for how much it was alone.
func placeText(r vm.Range, l text.Style) string {
	if !l.Whole && l.Width < 100 {
		return l.Size(int64(r.Len()))
	}
	return fmt.Sprintf("%x-%x", r.Start, r.End)
}

// story is the steps of c, those before a fork first unless its parent has a chapter.
func (b *Biography) story(c *chapter) []happening {
	if c.parent == nil {
		return c.steps
	}
	for _, o := range b.chapters {
		if o == c.parent {
			return c.steps
		}
	}
	before := b.story(&chapter{parent: c.parent.parent, upto: c.parent.upto, steps: c.parent.steps[:c.upto]})
	return append(append([]happening{}, before...), c.steps...)
}

// whoDid is the chain of a step.
func (b *Biography) whoDid(h *happening, c *chapter) callers.Chain {
	text := ""
	switch {
	case h.stack != 0:
		return b.chain(h.stack, c.space.Exe)
	case h.verb == "forked":
		text = "the fork"
		if c.parent != nil {
			text = fmt.Sprintf("as pid %d had it", c.parent.space.PID)
		}
	case h.verb == "found":
		text = "before attach"
	case h.seq != 0:
		text = h.call + " (no stack)"
	case h.verb == "mapped":
		text = "the kernel, at exec"
	default:
		text = "no traced call"
	}
	return callers.Words(text)
}

// nowText is what stands at the address at the moment of the biography.
func (b *Biography) nowText(c *chapter, l text.Style) string {
	for _, p := range b.processes {
		if p.ID != c.space.ID {
			continue
		}
		if from, to := p.overlapping(vm.Range{Start: b.addr, End: b.addr + 1}); from < to {
			x := &p.pieces[from]
			t := kindDetail(x) + ", " + x.Perms.String()
			if p.taken >= 0 {
				t += ", resident " + l.Size(x.rss)
			}
			if b.Moment.Kind != AtEnd {
				t += ", at " + b.momentText()
			}
			return t
		}
		return "not mapped"
	}
	if c.mapped {
		return "this address space ended with it mapped (exec, or the end of the process)"
	}
	return "not mapped when this address space ended"
}

// JSON is Text for programs.
func (b *Biography) JSON() any {
	type step struct {
		T      int64        `json:"t"`
		Event  uint64       `json:"event,omitempty"`
		What   string       `json:"what"`
		Start  eventlog.Hex `json:"start"`
		End    eventlog.Hex `json:"end"`
		Text   string       `json:"text"`
		Call   string       `json:"call,omitempty"`
		PID    int          `json:"pid,omitempty"`
		TID    int          `json:"tid,omitempty"`
		Thread string       `json:"thread,omitempty"`
		Times  int          `json:"times,omitempty"`
		Last   *int64       `json:"last,omitempty"`
		Steps  int          `json:"steps,omitempty"` // of "repeated": so many before it came again, Times times
		Who    []string     `json:"who,omitempty"`
		Frames []Frame      `json:"frames,omitempty"`
	}
	type part struct {
		PID   int    `json:"pid"`
		Space int    `json:"space"`
		Exe   string `json:"exe"`
		Steps []step `json:"steps"`
		Now   *Range `json:"now"`
	}
	type doc struct {
		At
		Address  eventlog.Hex `json:"address"`
		Chapters []part       `json:"chapters"`
	}
	d := doc{b.at(), eventlog.Hex(b.addr), []part{}}
	frames := map[int][]Frame{}
	for _, c := range b.chapters {
		j := part{PID: c.space.PID, Space: c.space.ID, Exe: c.space.Exe, Steps: []step{}}
		for _, h := range b.story(c) {
			o := step{T: h.t, Event: h.seq, What: h.verb, Start: eventlog.Hex(h.Start), End: eventlog.Hex(h.End), Text: h.whatText(), Call: h.text,
				PID: h.pid, TID: h.tid}
			switch {
			case h.verb == repeated:
				o.Steps, o.Times, o.Last = h.steps, h.times, ptr(h.last)
				j.Steps = append(j.Steps, o)
				continue
			case h.times > 0:
				o.Times, o.Last = h.times+1, ptr(h.last)
			}
			o.Who = b.whoDid(&h, c).Calls
			if h.tid != 0 {
				o.Thread = b.lives.name(h.tid, h.t)
			}
			if h.stack != 0 {
				if frames[h.stack] == nil {
					frames[h.stack] = b.framesOf(h.stack)
				}
				o.Frames = frames[h.stack]
			}
			j.Steps = append(j.Steps, o)
		}
		for _, p := range b.processes {
			if from, to := p.overlapping(vm.Range{Start: b.addr, End: b.addr + 1}); p.ID == c.space.ID && from < to {
				j.Now = ptr(b.rangeOf(p, &p.pieces[from], p.pieces[from].Range))
			}
		}
		d.Chapters = append(d.Chapters, j)
	}
	return d
}
