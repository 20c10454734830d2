package mm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// fakeKernel is a View whose rows a test sets.
type fakeKernel struct {
	rows   []vm.Mapping
	page   uint64
	asked  int
	silent bool // nothing can be read any more
}

var errSilent = errors.New("the kernel says nothing")

func (k *fakeKernel) All() ([]vm.Mapping, error) { return k.In(everything) }

func (k *fakeKernel) In(r vm.Range) (rows []vm.Mapping, err error) {
	k.asked++
	if k.silent {
		return nil, errSilent
	}
	for _, row := range k.rows {
		if row.Overlaps(r) {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

func (k *fakeKernel) PageSize(vm.Mapping) uint64 { return max(k.page, vm.PageSize) }

// test is a space and its kernel. Addresses in its texts are page numbers, in hexadecimal.
type test struct {
	*testing.T
	k     fakeKernel
	s     *Space
	event uint64
}

// begin makes the space that the kernel shows.
func begin(t *testing.T, maps string) *test {
	t.Helper()
	x := &test{T: t}
	x.show(maps)
	s, err := Load(&x.k, 2<<20, ledger.Origin{Cause: ledger.Kernel})
	if err != nil {
		t.Fatal(err)
	}
	x.s = s
	return x
}

// show sets what the kernel shows: lines of "10-18 rw-p path", or "10-18 rw-p inode/offset path".
func (x *test) show(maps string) {
	x.Helper()
	x.k.rows = nil
	for line := range strings.Lines(maps) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		var start, end, inode, offset uint64
		if _, err := fmt.Sscanf(f[0], "%x-%x", &start, &end); err != nil {
			x.Fatal(err)
		}
		path := f[2:]
		if len(path) > 0 {
			if n, _ := fmt.Sscanf(path[0], "%d/%x", &inode, &offset); n == 2 {
				path = path[1:]
			}
		}
		text := fmt.Sprintf("%x000-%x000 %s %x000 00:00 %d %s\n", start, end, f[1], offset, inode, strings.Join(path, " "))
		rows, err := vm.ParseMaps(x.k.rows, []byte(text))
		if err != nil {
			x.Fatal(err)
		}
		x.k.rows = rows
	}
}

// call applies a call that returned value (a page), after which the kernel shows maps, and returns what
// changed, drift before the rest.
func (x *test) call(op vm.Op, value uint64, maps string) []string {
	x.Helper()
	x.show(maps)
	x.event++
	return lines(x.s.Apply(&op, Return{Event: x.event, Value: value * vm.PageSize}, nil))
}

// fails applies a call that returned an error.
func (x *test) fails(op vm.Op, e syscall.Errno, maps string) []string {
	x.Helper()
	x.show(maps)
	x.event++
	return lines(x.s.Apply(&op, Return{Event: x.event, Errno: e}, nil))
}

func lines(out Outcome) []string {
	text := driftLines(out.Drifts)
	for _, c := range out.Changes {
		text = append(text, changeLine(c))
	}
	if out.Unseen {
		text = append(text, "unseen")
	}
	return text
}

func driftLines(drifts []Drift) (text []string) {
	for _, d := range drifts {
		for _, c := range d.Changes {
			line := d.Guess + ": " + changeLine(c)
			if d.Beside != 0 {
				line += fmt.Sprintf(" beside %d", d.Beside)
			}
			text = append(text, line)
		}
	}
	return text
}

func changeLine(c ledger.Change) string {
	return fmt.Sprintf("%x-%x %s > %s", c.Start/vm.PageSize, c.End/vm.PageSize, entryText(c.Was), entryText(c.Now))
}

func entryText(e *ledger.Entry) string {
	if e == nil {
		return "-"
	}
	text := e.Perms.String() + e.File.Path
	if e.Origin.Event != 0 {
		text += fmt.Sprintf(" of %d", e.Origin.Event)
	}
	if e.Moved != nil {
		text += fmt.Sprintf(" from %x", e.Moved.Start/vm.PageSize)
	}
	return text
}

func (x *test) expect(got []string, want ...string) {
	x.Helper()
	if !slices.Equal(got, want) {
		x.Errorf("\n got %q\nwant %q", got, want)
	}
}

// settled fails where ledger and kernel differ.
func (x *test) settled() {
	x.Helper()
	if drifts, compared := x.s.Verify(""); !compared || len(drifts) > 0 {
		x.Errorf("compared %v, drift %q", compared, driftLines(drifts))
	}
}

func at(from, to uint64) vm.Range {
	return vm.Range{Start: from * vm.PageSize, End: to * vm.PageSize}
}

func anonymous(pages uint64) vm.Op {
	return vm.Op{Kind: vm.OpMap, Len: pages * vm.PageSize, Prot: vm.ProtRead | vm.ProtWrite, Flags: vm.MapPrivate | vm.MapAnonymous, FD: -1}
}

func fixedAt(r vm.Range, flags uint64) vm.Op {
	op := anonymous(r.Len() / vm.PageSize)
	op.Fixed, op.Range, op.Addr = true, r, r.Start
	op.Flags |= flags | vm.MapFixed
	return op
}

func onRange(kind vm.OpKind, r vm.Range) vm.Op {
	return vm.Op{Kind: kind, Range: r, Addr: r.Start, Len: r.Len()}
}

func protect(r vm.Range, prot uint64) vm.Op {
	op := onRange(vm.OpProtect, r)
	op.Prot = prot
	return op
}

func remap(r vm.Range, pages, flags uint64) vm.Op {
	op := onRange(vm.OpRemap, r)
	op.NewLen, op.Flags = pages*vm.PageSize, flags
	return op
}

func brk(page uint64) vm.Op { return vm.Op{Kind: vm.OpBrk, Addr: page * vm.PageSize} }
