package export

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/vmblame/vmblame/internal/analysis"
)

// WriteChrome writes a trace of a log up to a moment in the Trace Event Format, which Chrome's about:tracing, Perfetto and
// many others read: sizes by kind as counters, calls as instant events with their stacks. It reports whether the log is cut.
func WriteChrome(w io.Writer, open analysis.Open, at analysis.Moment, pids []int, tool string) (cut bool, err error) {
	return writeTrace(open, at, pids, func(s *analysis.State) tracer {
		c := &chrome{w: writer{to: w}, state: s, tool: tool, ids: map[chromeFrame]int{}, stacks: map[int]int{}}
		c.w.buf.WriteString(`{"displayTimeUnit":"ns","traceEvents":[`)
		return c
	})
}

type chrome struct {
	w      writer
	state  *analysis.State
	tool   string
	some   bool                // an event has been written
	ids    map[chromeFrame]int // from 1
	frames []chromeFrame
	stacks map[int]int // the id of the innermost frame
}

// A chromeFrame is a call below another.
type chromeFrame struct {
	Name     string `json:"name"`
	Category string `json:"category"` // the file
	Parent   string `json:"parent,omitempty"`
}

type chromeEvent struct {
	Name     string      `json:"name"`
	Category string      `json:"cat,omitempty"`
	Phase    string      `json:"ph"`
	Scope    string      `json:"s,omitempty"`
	T        json.Number `json:"ts,omitempty"` // microseconds
	PID      int         `json:"pid"`
	TID      int         `json:"tid,omitempty"`
	Stack    string      `json:"sf,omitempty"`
	Args     any         `json:"args"`
}

// chromeCall are the args of a call.
type chromeCall struct {
	Call     string   `json:"call"`
	Event    uint64   `json:"event"`
	Mapped   int64    `json:"mapped"`
	Unmapped int64    `json:"unmapped"`
	Who      string   `json:"who,omitempty"`
	Stack    []string `json:"stack,omitempty"` // innermost first: not every reader shows sf
}

func (c *chrome) put(e *chromeEvent) {
	b, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings and numbers alone
	}
	if c.some {
		c.w.buf.WriteByte(',')
	}
	c.some = true
	c.w.buf.WriteByte('\n')
	c.w.buf.Write(b)
	c.w.flush(1 << 16)
}

// microseconds is a time in nanoseconds as the format has it.
func microseconds(ns int64) json.Number {
	return json.Number(fmt.Sprintf("%d.%03d", ns/1000, ns%1000))
}

func (c *chrome) process(p *tracedProcess) {
	c.put(&chromeEvent{Name: "process_name", Phase: "M", PID: p.pid, Args: map[string]string{"name": p.name}})
}

func (c *chrome) thread(pid, tid int, name string) {
	c.put(&chromeEvent{Name: "thread_name", Phase: "M", PID: pid, TID: tid, Args: map[string]string{"name": name}})
}

func (c *chrome) sizes(pid int, t int64, by map[string]sizes) {
	addresses, usable, resident := map[string]int64{}, map[string]int64{}, map[string]int64{}
	for kind, n := range by {
		addresses[kind], usable[kind] = n.addresses, n.usable
		if n.resident != nil {
			resident[kind] = *n.resident
		}
	}
	counter := func(name string, by map[string]int64) {
		if len(by) > 0 {
			c.put(&chromeEvent{Name: name, Phase: "C", T: microseconds(t), PID: pid, Args: by})
		}
	}
	counter("addresses", addresses)
	counter("usable", usable)
	counter("resident", resident)
}

func (c *chrome) call(x *tracedCall) {
	e := chromeEvent{Name: x.name, Category: "mapping", Phase: "i", Scope: "t", T: microseconds(x.t), PID: x.pid, TID: x.tid}
	if x.error != "" {
		e.Category = "failed"
	}
	args := chromeCall{Call: x.text, Event: x.seq, Mapped: x.mapped, Unmapped: x.unmapped, Who: x.who}
	if x.stack != 0 {
		frames, _ := c.state.Frames(x.stack)
		for i := range frames {
			args.Stack = append(args.Stack, frames[i].Label())
		}
		if id := c.stack(x.stack, frames); id != 0 {
			e.Stack = strconv.Itoa(id)
		}
	}
	e.Args = args
	c.put(&e)
}

// stack returns the id of a call stack, which is that of its innermost frame.
func (c *chrome) stack(stack int, frames []analysis.Frame) int {
	id, ok := c.stacks[stack]
	if ok {
		return id
	}
	for i := len(frames) - 1; i >= 0; i-- {
		k := chromeFrame{Name: frames[i].Label(), Category: frames[i].Module}
		if id != 0 {
			k.Parent = strconv.Itoa(id)
		}
		next, known := c.ids[k]
		if !known {
			c.frames = append(c.frames, k)
			next = len(c.frames)
			c.ids[k] = next
		}
		id = next
	}
	c.stacks[stack] = id
	return id
}

func (c *chrome) end() error {
	frames := make(map[string]chromeFrame, len(c.frames))
	for i, f := range c.frames {
		frames[strconv.Itoa(i+1)] = f
	}
	b, err := json.Marshal(frames)
	if err != nil {
		panic(err) // strings alone
	}
	tool, err := json.Marshal(c.tool)
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(&c.w.buf, "\n],\"stackFrames\":%s,\"otherData\":{\"tool\":%s}}\n", b, tool)
	c.w.flush(0)
	return c.w.err
}
