package eventlog

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/vm"
)

// simulation makes up a recording: processes that map, unmap, protect, move, fork and execute at random,
// and a ledger for each that says what their calls did.
type simulation struct {
	rng     *rand.Rand
	log     []byte
	seq     uint64
	spaces  []*simulated
	events  int
	drifts  uint64
	changes []ledger.Change
}

type simulated struct {
	id, pid int
	last    uint64
	l       *ledger.Ledger
	left    bool // its process has executed another program
}

func simulate(seed uint64, events int) []byte {
	s := &simulation{rng: rand.New(rand.NewPCG(seed, 1))}
	s.put(&Header{Format: "vmblame", Version: 1, Mode: "run", Started: "2026-01-02T03:04:05Z", Host: Host{PageSize: 4096}})
	s.put(&Module{Module: 1, Path: "/bin/x", Dev: "fe:00", Inode: 1})
	first := &simulated{id: 1, pid: 100, l: ledger.New()}
	s.exec(first, nil)
	for s.events < events {
		if p := s.spaces[s.rng.IntN(len(s.spaces))]; !p.left {
			s.step(p)
		}
	}
	for _, p := range s.spaces {
		s.snapshot(p, "exit")
		if !p.left {
			s.thread(p, "exit")
		}
	}
	code := 0
	s.put(&End{T: int64(s.seq), Cause: "exit", Exit: &Exit{Code: &code}, Events: s.seq, Drifts: s.drifts})
	return s.log
}

// thread writes a line of the only thread of a process.
func (s *simulation) thread(p *simulated, what string) {
	s.put(&Thread{T: int64(s.seq), TID: p.pid, PID: p.pid, Space: p.id, What: what, Name: "x"})
}

func (s *simulation) put(r Record) { s.log = AppendRecord(s.log, r) }

func (s *simulation) exec(n *simulated, parent *simulated) {
	o := ledger.Origin{Cause: ledger.Kernel}
	cause := "launch"
	if parent != nil {
		o.Exec, cause = parent.last, "exec"
	}
	for i, path := range []string{"/bin/x", "/lib/y", "[vdso]", "[stack]"} {
		m := vm.Mapping{Range: vm.Range{Start: 0x4000000 + uint64(i)<<20, End: 0x4000000 + uint64(i)<<20 + 0x8000}, Perms: vm.Read, File: vm.File{Path: path}}
		if path[0] == '/' {
			m.File.Inode = uint64(i + 1)
		}
		n.l.Add(ledger.Entry{Mapping: m, Origin: o}, nil)
	}
	s.begin(n, parent, cause)
}

func (s *simulation) begin(n, parent *simulated, cause string) {
	r := &Space{Space: n.id, T: int64(s.seq), PID: n.pid, Cause: cause, Exe: "/bin/x"}
	if parent != nil {
		r.Parent, r.After = &parent.id, parent.last
	}
	for e := range n.l.All {
		r.Mappings = append(r.Mappings, MappingOf(&e))
	}
	s.put(r)
	what := "start"
	if cause == "exec" {
		what = "exec"
	}
	s.thread(n, what)
	s.spaces = append(s.spaces, n)
}

// list turns the changes that a ledger reported into those of a record.
func (s *simulation) list() []Change {
	var list []Change
	attr := func(e *ledger.Entry) *Attr {
		if e == nil {
			return nil
		}
		a := AttrOf(e)
		return &a
	}
	for _, c := range s.changes {
		list = append(list, Change{Hex(c.Start), Hex(c.End), attr(c.Was), attr(c.Now)})
	}
	return list
}

func (s *simulation) event(p *simulated, call string, args Args, result *Result, errno string) {
	s.put(&Event{Seq: s.seq, T: int64(s.seq), Space: p.id, PID: p.pid, TID: p.pid, Call: call, Args: args, Result: result, Error: errno, Changes: s.list()})
	p.last = s.seq
	s.events++
}

func (s *simulation) snapshot(p *simulated, cause string) {
	r := &Snapshot{T: int64(s.seq), After: p.last, Space: p.id, Cause: cause}
	for e := range p.l.All {
		r.Mappings = append(r.Mappings, SnapshotMapping{Mapping: MappingOf(&e)})
	}
	s.put(r)
}

func address(name string, v uint64) Arg { return Arg{Name: name, Value: int64(v), Address: true} }
func number(name string, v uint64) Arg  { return Arg{Name: name, Value: int64(v)} }

func (s *simulation) step(p *simulated) {
	page := func(n int) uint64 { return uint64(s.rng.IntN(n)) * vm.PageSize }
	at := vm.Range{Start: 0x4000000 + page(2048)}
	at.End = at.Start + page(12) + vm.PageSize
	length := at.Len() - uint64(s.rng.IntN(vm.PageSize))
	s.changes = s.changes[:0]
	s.seq++
	o := ledger.Origin{Event: s.seq}
	zero := &Result{}
	switch k := s.rng.IntN(20); {
	case k < 6:
		e := ledger.Entry{Mapping: vm.Mapping{Range: at, Perms: vm.ProtPerms(uint64(k))}, Origin: o}
		flags := uint64(0x32)
		if k%2 == 0 {
			flags, e.File, e.Offset = 0x12, vm.File{Inode: uint64(k + 1), Path: "/data"}, page(9)
		}
		s.changes = p.l.Add(e, s.changes)
		s.event(p, "mmap", Args{address("addr", at.Start), number("length", length), number("prot", uint64(k)), number("flags", flags), number("fd", 3), number("offset", e.Offset)}, &Result{int64(at.Start), true}, "")
	case k < 10:
		s.changes = p.l.Remove(at, s.changes)
		s.event(p, "munmap", Args{address("addr", at.Start), number("length", length)}, zero, "")
	case k < 13:
		s.changes = p.l.Protect(at, vm.ProtPerms(uint64(k&7)), s.changes)
		args := Args{address("addr", at.Start), number("len", length), number("prot", uint64(k&7))}
		if p.l.Covered(at) {
			s.event(p, "mprotect", args, zero, "")
		} else {
			s.event(p, "mprotect", args, nil, "ENOMEM")
		}
	case k < 16:
		to := 0x8000000 + page(2048)
		if from, ok := p.l.At(at.Start); !ok || from.End < at.End {
			s.event(p, "mremap", Args{address("old_address", at.Start), number("old_size", at.Len()), number("new_size", at.Len()), number("flags", 1)}, nil, "EFAULT")
			break
		}
		size, flags := at.Len()+page(4), uint64(3)
		if k == 13 {
			size, flags = at.Len(), 7 // MREMAP_DONTUNMAP
		}
		s.changes = p.l.Move(at, to, size, o, k == 13, s.changes)
		s.event(p, "mremap", Args{address("old_address", at.Start), number("old_size", at.Len()), number("new_size", size), number("flags", flags), address("new_address", to)}, &Result{int64(to), true}, "")
	case k == 16 && len(s.spaces) < 8:
		s.seq--
		n := &simulated{id: len(s.spaces) + 1, pid: 100 + len(s.spaces), l: p.l.Clone()}
		s.begin(n, p, "fork")
	case k == 17 && len(s.spaces) < 8:
		s.event(p, "execve", Args{address("pathname", 1), address("argv", 2), address("envp", 3)}, zero, "")
		p.left = true
		s.exec(&simulated{id: len(s.spaces) + 1, pid: p.pid, l: ledger.New()}, p)
	case k == 18:
		s.seq--
		e := ledger.Entry{Mapping: vm.Mapping{Range: at, Perms: vm.Read}, Origin: ledger.Origin{Cause: ledger.Drift}}
		s.changes = p.l.Add(e, s.changes)
		s.drifts++
		s.put(&Drift{T: int64(s.seq), After: p.last, Space: p.id, Changes: s.list(), Guess: "unknown"})
	case k == 19:
		s.seq--
		s.snapshot(p, "interval")
	default:
		s.seq--
	}
}

func TestCheckSimulatedRecordings(t *testing.T) {
	s := schema(t)
	for seed := range uint64(20) {
		log := simulate(seed, 500)
		problems := 0
		if err := Check(bytes.NewReader(log), func(p Problem) {
			if problems++; problems < 5 {
				t.Errorf("seed %d: %v", seed, p)
			}
		}); err != nil {
			t.Fatal(err)
		}
		if seed > 0 {
			continue
		}
		for line := range bytes.Lines(log) {
			if bytes.HasPrefix(line, []byte(`{"type":"header"`)) {
				continue // a simulation has no machine
			}
			if err := validate(t, s, line); err != nil {
				t.Fatalf("%v\n%s", err, line)
			}
		}
	}
}

// TestCheckFindsMistakes makes one mistake in a recording and expects it to be found: everything that a
// change says is repeated, or contradicted, by something else.
func TestCheckFindsMistakes(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	lines := bytes.SplitAfter(simulate(7, 400), []byte("\n"))
	lines = lines[:len(lines)-1]
	check := func(log []byte) (found []string) {
		if err := Check(bytes.NewReader(log), func(p Problem) { found = append(found, p.String()) }); err != nil {
			t.Fatal(err)
		}
		return found
	}
	var d decoder
	tried := map[string]int{}
	for range testenv.Often(200, 600) {
		i := 1 + rng.IntN(len(lines)-1)
		r, err := d.decode(lines[i])
		if err != nil {
			t.Fatal(err)
		}
		var what string
		var broken [][]byte
		e, isEvent := r.(*Event)
		switch {
		case isEvent && len(e.Changes) > 0:
			c := &e.Changes[rng.IntN(len(e.Changes))]
			side, name := c.Was, "was"
			if side == nil {
				side, name = c.Now, "now"
			}
			what = name + mistake(rng, side, c)
		case isEvent:
			what = "no event"
		case r.Type() == "space" || r.Type() == "drift":
			what = "no " + r.Type()
		default:
			continue
		}
		tried[what]++
		broken = append(broken, lines[:i]...)
		if !strings.HasPrefix(what, "no ") {
			broken = append(broken, AppendRecord(nil, r))
		}
		broken = append(broken, lines[i+1:]...)
		if found := check(bytes.Join(broken, nil)); len(found) == 0 {
			t.Errorf("line %d, %s: not found:\nwas %snow %s", i+1, what, lines[i], broken[min(i, len(broken)-1)])
		}
	}
	if len(tried) < 8 {
		t.Errorf("tried only %v", tried)
	}
}

// mistake changes one thing in a change and says which.
func mistake(rng *rand.Rand, a *Attr, c *Change) string {
	switch rng.IntN(5) {
	case 0:
		a.Perms = map[byte]string{'r': "-", '-': "r"}[a.Perms[0]] + a.Perms[1:]
		return " perms"
	case 1:
		a.Inode += 77
		return " inode"
	case 2:
		if a.Origin == nil {
			one := uint64(1)
			a.Origin, a.OriginCause, a.Exec = &one, "", nil
		} else {
			*a.Origin++
		}
		return " origin"
	case 3:
		c.Start -= 4096
		return " start"
	default:
		c.End += 4096
		return " end"
	}
}

func TestSimulationHasEverything(t *testing.T) {
	r, err := NewReader(bytes.NewReader(simulate(7, 2000)))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for {
		rec, err := r.Next()
		if err != nil {
			break
		}
		seen[rec.Type()]++
		if e, ok := rec.(*Event); ok {
			seen[e.Call]++
			for _, c := range e.Changes {
				seen[fmt.Sprintf("%s %v-%v", e.Call, c.Was != nil, c.Now != nil)]++
			}
		}
		if s, ok := rec.(*Space); ok {
			seen[s.Cause]++
		}
	}
	for _, want := range []string{"drift", "snapshot", "launch", "fork", "exec", "mmap true-false", "mmap false-true", "munmap true-false", "mprotect true-true", "mremap false-true", "mremap true-false"} {
		if seen[want] == 0 {
			t.Errorf("no %s: %v", want, reflect.ValueOf(seen))
		}
	}
}
