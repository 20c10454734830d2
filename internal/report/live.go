package report

import (
	"fmt"
	"io"
	"slices"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/strace"
	"github.com/vmblame/vmblame/internal/text"
)

// Live prints every event with its stack as it happens, in the manner of `strace -f -k`:
//
//	[pid  9838] mmap(NULL, 134217728, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7fffe8000000
//	 > /usr/lib/x86_64-linux-gnu/libc.so.6(fopen+0x1a) [0x95615]
//	 > /home/me/silly(luaL_loadfilex+0x60) [0x21a50] lauxlib.c:734
//
// The number in brackets is the file's own virtual address. A name that comes later than the event it
// belongs to is not printed: the pipeline is asked to send names first.
type Live struct {
	w     io.Writer
	names *analysis.Names
	text  map[int][]byte // the lines of stacks whose names are known, by id: textsKept at most
	buf   []byte
}

const textsKept = 4096

var _ eventlog.Sink = (*Live)(nil)

// NewLive returns a sink that writes to w, one Write for each record.
func NewLive(w io.Writer) *Live {
	return &Live{w: w, names: analysis.NewNames(true, classify.Known()), text: map[int][]byte{}}
}

// Put implements eventlog.Sink. It returns the error of the Write.
func (l *Live) Put(r eventlog.Record) error {
	l.buf = l.buf[:0]
	switch r := r.(type) {
	case *eventlog.Module, *eventlog.Stack, *eventlog.Symbol:
		l.names.Put(r)
		return nil
	case *eventlog.Space:
		l.pid(r.PID)
		l.printf("+++ %s: %s", text.Printable(r.Cause), text.Count(len(r.Mappings), "mapping", "mappings"))
		if r.Exe != "" {
			l.printf(" of %s", text.Printable(r.Exe))
		}
		l.printf(" +++\n")
	case *eventlog.Thread:
		l.thread(r)
	case *eventlog.Event:
		l.pid(r.TID)
		l.buf = strace.AppendCall(l.buf, r)
		l.buf = append(l.buf, '\n')
		if r.Stack != nil {
			l.buf = append(l.buf, l.stack(*r.Stack)...)
		}
	case *eventlog.Advice:
		l.pid(r.TID)
		l.buf = strace.AppendCall(l.buf, r.AsEvent())
		if r.Before != nil && r.Left != nil {
			l.printf(" <in memory: %d before, %d left>", *r.Before, *r.Left)
		}
		l.buf = append(l.buf, '\n')
		if r.Stack != nil {
			l.buf = append(l.buf, l.stack(*r.Stack)...)
		}
	case *eventlog.Drift:
		l.drift(r)
	case *eventlog.Note:
		l.printf("vmblame: %s\n", text.Printable(noteText(r)))
	default:
		return nil
	}
	_, err := l.w.Write(l.buf)
	return err
}

func (l *Live) printf(format string, args ...any) { l.buf = fmt.Appendf(l.buf, format, args...) }

func (l *Live) pid(id int) { l.printf("[pid %5d] ", id) }

func (l *Live) thread(r *eventlog.Thread) {
	l.pid(r.TID)
	switch r.What {
	case "start":
		l.printf("+++ started")
	case "exit":
		l.printf("+++ exited")
	default:
		l.printf("+++ %s", r.What)
	}
	if r.Name != "" {
		l.printf(": %s", text.Printable(r.Name))
	}
	l.printf(" +++\n")
}

func (l *Live) drift(r *eventlog.Drift) {
	l.printf("drift in address space %d: %s\n", r.Space, text.Printable(r.Guess))
	for _, c := range r.Changes {
		l.printf("   %x-%x %s -> %s\n", uint64(c.Start), uint64(c.End), text.Printable(attrText(c.Was)), text.Printable(attrText(c.Now)))
	}
}

func attrText(a *eventlog.Attr) string {
	switch {
	case a == nil:
		return "nothing"
	case a.Path == "":
		return a.Perms
	}
	return a.Perms + " " + a.Path
}

func noteText(r *eventlog.Note) string {
	if r.Level == "warning" {
		return "warning: " + r.Text
	}
	return r.Text
}

// stack returns the lines of a stack; they are made once unless a name may still be missing.
func (l *Live) stack(id int) []byte {
	if t, ok := l.text[id]; ok {
		return t
	}
	frames, end := l.names.Frames(id)
	b := appendStack(nil, frames, end, text.Style{Whole: true})
	if !slices.ContainsFunc(frames, func(f analysis.Frame) bool { return f.Function == "" }) {
		if len(l.text) == textsKept {
			clear(l.text)
		}
		l.text[id] = b
	}
	return b
}
