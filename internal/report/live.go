package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

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
	style text.Style
	names *analysis.Names
	text  map[int][]byte // the lines of stacks whose names are known, by id: textsKept at most
	buf   []byte
}

const textsKept = 4096

var _ eventlog.Sink = (*Live)(nil)

// NewLive returns a sink that writes to w, one Write for each record. Lines are folded to the width of style unless it wants them
// whole.
func NewLive(w io.Writer, style text.Style) *Live {
	return &Live{w: w, style: style, names: analysis.NewNames(true, classify.Known()), text: map[int][]byte{}}
}

// Put implements eventlog.Sink. It returns the error of the Write.
func (l *Live) Put(r eventlog.Record) error {
	l.buf = l.buf[:0]
	switch r := r.(type) {
	case *eventlog.Module, *eventlog.Stack, *eventlog.Symbol:
		l.names.Put(r)
		return nil
	case *eventlog.Space:
		cause, n := l.style.Word(text.Printable(r.Cause)), l.style.Count(len(r.Mappings), "mapping", "mappings")
		t := l.style.Say("+++ %s: %s +++", cause, n)
		if r.Exe != "" {
			t = l.style.Say("+++ %s: %s of %s +++", cause, n, text.Printable(r.Exe))
		}
		l.line(r.PID, t)
	case *eventlog.Thread:
		l.thread(r)
	case *eventlog.Event:
		l.line(r.TID, string(strace.AppendCall(nil, r)))
		if r.Stack != nil {
			l.buf = append(l.buf, l.stack(*r.Stack)...)
		}
	case *eventlog.Advice:
		call := string(strace.AppendCall(nil, r.AsEvent()))
		if r.Before != nil && r.Left != nil {
			call += l.style.Say(" <in memory: %d before, %d left>", *r.Before, *r.Left)
		}
		l.line(r.TID, call)
		if r.Stack != nil {
			l.buf = append(l.buf, l.stack(*r.Stack)...)
		}
	case *eventlog.Drift:
		l.drift(r)
	case *eventlog.Note:
		t := l.style.Told(text.Printable(r.Text))
		if r.Level == "warning" {
			t = l.style.Say("warning: %s", t)
		}
		l.fold("vmblame: ", t)
	default:
		return nil
	}
	_, err := l.w.Write(l.buf)
	return err
}

// fold appends a line, or several where it is too wide for one. head ends in a blank; its blanks stay as they are.
func (l *Live) fold(head, line string) {
	// To be folded, head is one word of the same width.
	word := strings.Repeat("-", max(len(head)-1, 0))
	folded := text.Fold(word+" "+line, l.style.Lines(), "    ")
	l.buf = append(append(append(l.buf, head...), strings.TrimPrefix(folded[len(word):], " ")...), '\n')
}

// line appends what a thread did.
func (l *Live) line(tid int, what string) { l.fold(fmt.Sprintf("[pid %5d] ", tid), what) }

func (l *Live) thread(r *eventlog.Thread) {
	t := text.Printable(r.What)
	switch r.What {
	case "start":
		t = l.style.Word("started")
	case "exit":
		t = l.style.Word("exited")
	}
	if r.Name != "" {
		t += l.style.Word(": ") + text.Printable(r.Name)
	}
	l.line(r.TID, "+++ "+t+" +++")
}

func (l *Live) drift(r *eventlog.Drift) {
	l.fold("", l.style.Say("drift in address space %d: %s", r.Space, l.style.Told(text.Printable(r.Guess))))
	for _, c := range r.Changes {
		l.fold("   ", fmt.Sprintf("%x-%x %s -> %s", uint64(c.Start), uint64(c.End), l.attr(c.Was), l.attr(c.Now)))
	}
}

// attr describes a mapping.
func (l *Live) attr(a *eventlog.Attr) string { return text.Printable(attrText(a, l.style)) }

func attrText(a *eventlog.Attr, s text.Style) string {
	switch {
	case a == nil:
		return s.Word("nothing")
	case a.Path == "":
		return a.Perms
	}
	return a.Perms + " " + a.Path
}

// stack returns the lines of a stack; they are made once unless a name may still be missing.
func (l *Live) stack(id int) []byte {
	if t, ok := l.text[id]; ok {
		return t
	}
	frames, end := l.names.Frames(id)
	b := appendStack(nil, frames, end, l.style)
	if !slices.ContainsFunc(frames, func(f analysis.Frame) bool { return f.Function == "" }) {
		if len(l.text) == textsKept {
			clear(l.text)
		}
		l.text[id] = b
	}
	return b
}
