package eventlog

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// ExportJSON writes a log to w as one JSON document: one array for each type of the log's objects, with the names of symbol
// lines in the frames of the stacks (ExportFrame). It reads the log once for each array, so open begins it anew each time,
// and its memory does not grow with the number of events. Lines added to the log meanwhile are left out.
//
// Of a cut log the document holds all whole lines, and null for the end; ExportJSON then returns an error that wraps
// ErrCut after the whole document has been written. After any other error the document is incomplete.
func ExportJSON(open func() (*Reader, error), w io.Writer) error {
	x := &export{open: open, w: bufio.NewWriterSize(w, 64<<10), last: map[string]int{}, names: map[Place]*Symbol{}}
	cut := x.survey()
	if cut != nil && !errors.Is(cut, ErrCut) {
		return cut
	}
	x.text(`{"header":`)
	x.record(x.header)
	for _, a := range [...]struct{ name, record string }{
		{"spaces", "space"}, {"threads", "thread"}, {"modules", "module"}, {"stacks", "stack"}, {"origins", "origin"}, {"events", "event"},
		{"advice", "advice"}, {"drifts", "drift"}, {"snapshots", "snapshot"}, {"contents", "content"}, {"notes", "note"},
	} {
		if h, ok := x.header.(*Header); a.record == "origin" && (!ok || h.Segment == nil) {
			continue
		}
		x.text(`,"` + a.name + `":[`)
		if err := x.array(a.record); err != nil {
			return err
		}
		x.text(`]`)
	}
	x.text(`,"end":`)
	x.record(x.end)
	x.text("}\n")
	if err := x.w.Flush(); err != nil {
		return err
	}
	return cut
}

type export struct {
	open func() (*Reader, error)
	w    *bufio.Writer // keeps its first error
	line []byte
	last map[string]int // by type: the line of its last record

	header Record // nil where the log is cut in its first line
	end    Record // nil where the log is cut
	names  map[Place]*Symbol
}

func (x *export) text(s string) { x.w.WriteString(s) }

// record writes the object of rec, or null.
func (x *export) record(rec Record) {
	if rec == nil {
		x.text("null")
		return
	}
	x.line = AppendRecord(x.line[:0], rec)
	x.w.Write(x.line[:len(x.line)-1])
}

// survey reads the whole log once to find errors, the single records, and the symbols needed by others.
func (x *export) survey() error {
	r, err := x.open()
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		x.last[rec.Type()] = r.Line()
		switch rec := rec.(type) {
		case *Header:
			x.header = rec
		case *Symbol:
			x.names[rec.Place()] = rec
		case *End:
			x.end = rec
		}
	}
}

// array writes the objects of one type, as they stand in the log. The survey has read them all: only stacks, which
// change, and what does not begin with its type are decoded once more.
func (x *export) array(record string) error {
	if x.last[record] == 0 {
		return nil
	}
	r, err := x.open()
	if err != nil {
		return err
	}
	defer r.Close()
	start := []byte(`{"type":"` + record + `"`)
	for first := true; r.line < x.last[record]; {
		line, err := r.readLine(longestLine)
		if errors.Is(err, io.EOF) {
			err = ErrCut // it was longer when it was surveyed
		}
		if err != nil {
			return r.named(err)
		}
		if otherType(line, record) {
			continue
		}
		var stack *Stack
		if record == "stack" || !bytes.HasPrefix(line, start) {
			rec, err := r.dec.decode(line)
			if err != nil {
				return r.named(&LineError{r.line, err})
			}
			if rec == nil || rec.Type() != record {
				continue
			}
			stack, _ = rec.(*Stack)
		}
		if !first {
			x.text(",")
		}
		first = false
		if stack != nil {
			x.line = appendNamedStack(x.line[:0], stack, x.names)
			line = x.line
		}
		if _, err := x.w.Write(line); err != nil {
			return err
		}
	}
	return nil
}
