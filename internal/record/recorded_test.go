package record

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/mm"
	"github.com/vmblame/vmblame/internal/vm"
	"github.com/vmblame/vmblame/tracer"
	"github.com/vmblame/vmblame/unwind"
)

// Recorded stops: what few kernels can do (x32 calls, shadow stacks, names of anonymous memory) is told to
// the recorder by a source that plays it back, beside what the kernel would show in /proc/PID/maps.

// playback is a tracer.Source that has nothing to say by itself.
type playback struct{ resumed, dropped int }

func (p *playback) Next() (*tracer.Stop, error) { return nil, io.EOF }
func (p *playback) Resume(*tracer.Thread)       { p.resumed++ }
func (p *playback) Drop(*tracer.Thread)         { p.dropped++ }

// recorded is one process of one thread.
type recorded struct {
	t      *testing.T
	r      *Recorder
	sp     *space
	thread *tracer.Thread
	source *playback
	maps   fakeMaps
}

func newRecorded(t *testing.T, maps string) *recorded {
	p := &recorded{t: t, source: &playback{}}
	p.r = assemble(Options{NoStacks: true, Verify: VerifyEach}, p.source)
	p.kernel(maps)
	state, err := mm.Load(&p.maps, 2<<20, ledger.Origin{Cause: ledger.Kernel})
	if err != nil {
		t.Fatal(err)
	}
	p.sp = p.r.space(state, nil)
	p.sp.id, p.sp.pid, p.sp.users = 1, 100, 1
	p.sp.walker = unwind.NewSpace(p.r.modules.Code(p.sp))
	p.thread = &tracer.Thread{TID: 100, TGID: 100}
	p.thread.Data = &task{thread: p.thread, space: p.sp, pid: 100}
	p.r.tasks[100] = p.thread.Data.(*task)
	return p
}

// kernel sets what the kernel shows: rows without device and inode.
func (p *recorded) kernel(maps string) {
	p.t.Helper()
	p.maps.rows = nil
	for line := range strings.Lines(maps) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		rows, err := vm.ParseMaps(p.maps.rows, fmt.Appendf(nil, "%s %s 00000000 00:00 0 %s\n", f[0], f[1], strings.Join(f[2:], " ")))
		if err != nil {
			p.t.Fatal(err)
		}
		p.maps.rows = rows
	}
}

// fakeMaps stands for /proc/PID/maps.
type fakeMaps struct{ rows []vm.Mapping }

func (m *fakeMaps) All() ([]vm.Mapping, error) { return m.rows, nil }
func (m *fakeMaps) PageSize(vm.Mapping) uint64 { return vm.PageSize }

func (m *fakeMaps) In(r vm.Range) (rows []vm.Mapping, err error) {
	for _, row := range m.rows {
		if row.Overlaps(r) {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// call plays a call that returned result, after which the kernel shows maps, and returns the new records.
func (p *recorded) call(c tracer.Call, result int64, maps string) []string {
	p.t.Helper()
	resumed := p.source.resumed
	p.r.handle(&tracer.Stop{Kind: tracer.Entered, Thread: p.thread, Call: &c})
	p.kernel(maps)
	p.r.handle(&tracer.Stop{Kind: tracer.Returned, Thread: p.thread, Call: &c, Result: result})
	if p.source.resumed != resumed+2 {
		p.t.Errorf("%s: resumed %d times, want 2", c.Syscall.Name, p.source.resumed-resumed)
	}
	return p.lines()
}

func (p *recorded) lines() (lines []string) {
	p.r.out.queue.Flush()
	var records []eventlog.Record
	select {
	case b := <-p.r.out.queue.Batches():
		records = b.Records
	default:
	}
	for _, rec := range records {
		switch rec := rec.(type) {
		case *eventlog.Event:
			line := fmt.Sprintf("%d %s %s", rec.Seq, rec.Call, rec.Error)
			if rec.Uncertain {
				line += " uncertain"
			}
			lines = append(lines, strings.TrimSpace(line)+changesText(rec.Changes))
		case *eventlog.Drift:
			lines = append(lines, "drift "+rec.Guess+changesText(rec.Changes))
		case *eventlog.Note:
			lines = append(lines, "note "+rec.Code)
		default:
			lines = append(lines, rec.Type())
		}
	}
	return lines
}

func changesText(list []eventlog.Change) (s string) {
	attr := func(a *eventlog.Attr) string {
		if a == nil {
			return "nothing"
		}
		text := a.Perms + a.Path
		if a.Origin != nil {
			text += fmt.Sprintf(" of %d", *a.Origin)
		}
		if a.MovedFrom != nil {
			text += fmt.Sprintf(" from %v", a.MovedFrom.Start)
		}
		return text
	}
	for _, c := range list {
		s += fmt.Sprintf("; %v-%v %s: %s", c.Start, c.End, attr(c.Was), attr(c.Now))
	}
	return s
}

func (p *recorded) expect(got []string, want ...string) {
	p.t.Helper()
	if !slices.Equal(got, want) {
		p.t.Errorf("\ngot  %q\nwant %q", got, want)
	}
}

func recordedCall(abi tracer.ABI, name string, op vm.Op, args ...uint64) tracer.Call {
	c := tracer.Call{Syscall: &tracer.Syscall{Nr: 1, Name: name, Effect: op.Kind}, ABI: abi, Op: op}
	copy(c.Args[:], args)
	return c
}

// x32 calls do what their 64-bit namesakes do, below 4 GiB. They are told once, and believed only as far as
// the kernel shows it.
func TestRecordedX32(t *testing.T) {
	p := newRecorded(t, "400000-401000 r-xp /bin/x32\n")
	mmap := vm.Op{Kind: vm.OpMap, Len: 0x4000, Prot: vm.ProtRead, Flags: vm.MapPrivate | vm.MapAnonymous, FD: -1}
	p.expect(p.call(recordedCall(tracer.ABIX32, "mmap", mmap, 0, 0x4000), 0x41000000,
		"400000-401000 r-xp /bin/x32\n41000000-41004000 r--p\n"),
		"note compat-calls", "1 mmap; 0x41000000-0x41004000 nothing: r--p of 1")

	at := vm.Range{Start: 0x41001000, End: 0x41002000}
	p.expect(p.call(recordedCall(tracer.ABIX32, "munmap", vm.Op{Kind: vm.OpUnmap, Range: at, Addr: at.Start, Len: at.Len()}), 0,
		"400000-401000 r-xp /bin/x32\n41000000-41001000 r--p\n41002000-41004000 r--p\n"),
		"2 munmap; 0x41001000-0x41002000 r--p of 1: nothing")

	// It fails behind the hole, and has changed what stands before it.
	at = vm.Range{Start: 0x41000000, End: 0x41003000}
	p.expect(p.call(recordedCall(tracer.ABIX32, "mprotect", vm.Op{Kind: vm.OpProtect, Range: at, Addr: at.Start, Len: at.Len(), Prot: vm.ProtRead | vm.ProtWrite}), -12,
		"400000-401000 r-xp /bin/x32\n41000000-41001000 rw-p\n41002000-41004000 r--p\n"),
		"3 mprotect ENOMEM; 0x41000000-0x41001000 r--p of 1: rw-p of 1")

	move := vm.Op{Kind: vm.OpRemap, Range: vm.Range{Start: 0x41002000, End: 0x41004000}, Addr: 0x41002000, Len: 0x2000, NewLen: 0x3000, Flags: vm.RemapMayMove}
	p.expect(p.call(recordedCall(tracer.ABIX32, "mremap", move), 0x42000000,
		"400000-401000 r-xp /bin/x32\n41000000-41001000 rw-p\n42000000-42003000 r--p\n"),
		"4 mremap; 0x41002000-0x41004000 r--p of 1: nothing; 0x42000000-0x42002000 nothing: r--p of 4 from 0x41002000; 0x42002000-0x42003000 nothing: r--p of 4")

	p.expect(p.call(recordedCall(tracer.ABIX32, "mmap", mmap, 0, 0x4000), -38,
		"400000-401000 r-xp /bin/x32\n41000000-41001000 rw-p\n42000000-42003000 r--p\n"),
		"5 mmap ENOSYS")
	if p.r.out.checks != 5 || p.r.out.drifts != 0 {
		t.Errorf("%d checks, %d drifts", p.r.out.checks, p.r.out.drifts)
	}
}

// Shadow stacks: map_shadow_stack makes one of the size asked for, even where the kernel shows one row for it
// and its neighbour; arch_prctl makes and removes one; that of a new thread is nobody's call.
func TestRecordedShadowStack(t *testing.T) {
	const exe = "400000-401000 r-xp /bin/shstk\n"
	p := newRecorded(t, exe)
	enable := recordedCall(tracer.ABI64, "arch_prctl", vm.Op{Kind: vm.OpMapVdso}, 0x5001)
	p.expect(p.call(enable, 0, exe+"7f0000100000-7f0000180000 rw-p\n"),
		"1 arch_prctl; 0x7f0000100000-0x7f0000180000 nothing: rw-p of 1")

	// A second one below the first: one row for the kernel.
	mapping := recordedCall(tracer.ABI64, "map_shadow_stack", vm.Op{Kind: vm.OpShadowStack}, 0, 0x3800, 1)
	p.expect(p.call(mapping, 0x7f00000fc000, exe+"7f00000fc000-7f0000180000 rw-p\n"),
		"2 map_shadow_stack; 0x7f00000fc000-0x7f0000100000 nothing: rw-p of 2")
	p.expect(p.call(mapping, -95, exe+"7f00000fc000-7f0000180000 rw-p\n"), "3 map_shadow_stack EOPNOTSUPP")

	unmap := vm.Op{Kind: vm.OpUnmap, Range: vm.Range{Start: 0x7f00000fc000, End: 0x7f0000100000}, Addr: 0x7f00000fc000, Len: 0x4000}
	p.expect(p.call(recordedCall(tracer.ABI64, "munmap", unmap), 0, exe+"7f0000100000-7f0000180000 rw-p\n"),
		"4 munmap; 0x7f00000fc000-0x7f0000100000 rw-p of 2: nothing")

	// clone gives the thread one of its own: it is seen at the next look, and blamed on no call.
	advise := recordedCall(tracer.ABI64, "madvise", vm.Op{Kind: vm.OpAdvise, Range: vm.Range{Start: 0x400000, End: 0x401000}})
	p.expect(p.call(advise, 0, exe+"7f0000080000-7f0000090000 rw-p\n7f0000100000-7f0000180000 rw-p\n"),
		"5 madvise", "drift unknown; 0x7f0000080000-0x7f0000090000 nothing: rw-p")

	disable := recordedCall(tracer.ABI64, "arch_prctl", vm.Op{Kind: vm.OpMapVdso}, 0x5002)
	p.expect(p.call(disable, 0, exe+"7f0000080000-7f0000090000 rw-p\n"),
		"6 arch_prctl; 0x7f0000100000-0x7f0000180000 rw-p of 1: nothing")
}

// PR_SET_VMA gives a name to a part of a mapping, which changes the row and no origin.
func TestRecordedAnonName(t *testing.T) {
	const exe = "400000-401000 r-xp /bin/named\n"
	p := newRecorded(t, exe)
	mmap := vm.Op{Kind: vm.OpMap, Len: 0x8000, Prot: vm.ProtRead | vm.ProtWrite, Flags: vm.MapPrivate | vm.MapAnonymous, FD: -1}
	p.expect(p.call(recordedCall(tracer.ABI64, "mmap", mmap), 0x7f0000000000, exe+"7f0000000000-7f0000008000 rw-p\n"),
		"1 mmap; 0x7f0000000000-0x7f0000008000 nothing: rw-p of 1")

	at := vm.Range{Start: 0x7f0000002000, End: 0x7f0000005000}
	name := recordedCall(tracer.ABI64, "prctl", vm.Op{Kind: vm.OpName, Range: at, Addr: at.Start, Len: at.Len()}, 0x53564d41, 0, at.Start, at.Len())
	const named = exe + "7f0000000000-7f0000002000 rw-p\n7f0000002000-7f0000005000 rw-p [anon:a part of it]\n7f0000005000-7f0000008000 rw-p\n"
	p.expect(p.call(name, 0, named),
		"2 prctl; 0x7f0000002000-0x7f0000005000 rw-p of 1: rw-p[anon:a part of it] of 1")
	p.expect(p.call(name, -22, named), "3 prctl EINVAL")

	// The name goes with the pages.
	move := vm.Op{Kind: vm.OpRemap, Range: at, Addr: at.Start, Len: at.Len(), NewLen: at.Len(), Flags: vm.RemapMayMove}
	const movedAway = exe + "7f0000000000-7f0000002000 rw-p\n7f0000005000-7f0000008000 rw-p\n7f0000010000-7f0000013000 rw-p [anon:a part of it]\n"
	p.expect(p.call(recordedCall(tracer.ABI64, "mremap", move), 0x7f0000010000, movedAway),
		"4 mremap; 0x7f0000002000-0x7f0000005000 rw-p[anon:a part of it] of 1: nothing; 0x7f0000010000-0x7f0000013000 nothing: rw-p[anon:a part of it] of 4 from 0x7f0000002000")

	// It fails at the hole; what stands before it has the name, which spans two mappings.
	at = vm.Range{Start: 0x7f0000000000, End: 0x7f0000008000}
	both := recordedCall(tracer.ABI64, "prctl", vm.Op{Kind: vm.OpName, Range: at, Addr: at.Start, Len: at.Len()}, 0x53564d41, 0, at.Start, at.Len())
	const partly = exe + "7f0000000000-7f0000002000 rw-p [anon:x]\n7f0000005000-7f0000008000 rw-p [anon:x]\n7f0000010000-7f0000013000 rw-p [anon:a part of it]\n"
	p.expect(p.call(both, -12, partly),
		"5 prctl ENOMEM; 0x7f0000000000-0x7f0000002000 rw-p of 1: rw-p[anon:x] of 1; 0x7f0000005000-0x7f0000008000 rw-p of 1: rw-p[anon:x] of 1")

	// An mmap over it makes pages without a name.
	over := mmap
	over.Fixed, over.Flags, over.Addr, over.Len = true, over.Flags|vm.MapFixed, 0x7f0000000000, 0x1000
	over.Range = vm.RangeOf(over.Addr, over.Len)
	p.expect(p.call(recordedCall(tracer.ABI64, "mmap", over), 0x7f0000000000,
		exe+"7f0000000000-7f0000001000 rw-p\n7f0000001000-7f0000002000 rw-p [anon:x]\n7f0000005000-7f0000008000 rw-p [anon:x]\n7f0000010000-7f0000013000 rw-p [anon:a part of it]\n"),
		"6 mmap; 0x7f0000000000-0x7f0000001000 rw-p[anon:x] of 1: nothing; 0x7f0000000000-0x7f0000001000 nothing: rw-p of 6")
	if p.r.out.drifts != 0 {
		t.Errorf("%d drifts", p.r.out.drifts)
	}
}
