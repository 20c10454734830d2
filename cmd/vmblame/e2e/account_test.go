package e2e

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/vm"
)

// account is what a traced program says of itself.
type account struct {
	sections []*section
	lacks    []string
	other    map[string][]fields // lines that only some programs write, by their first word
}

// section is one image of one process: from the beginning, a fork or an exec to its end.
type section struct {
	pid     int
	program string // "" for a child that goes on with its parent's image
	did     []did
	live    []live
	grown   []grown
	moved   []moved
	marks   []*mark
	maps    []vm.Mapping
	ended   bool
}

type did struct {
	tid       int
	fn, call  string
	addr, len uint64
	result    uint64
	error     string
}

type live struct {
	vm.Range
	fn, call string
	tid      int
}

type grown struct {
	vm.Range
	beside string
}

type moved struct{ from, to, len uint64 }

// mark is a mapping with the list of return addresses of the call that made it, innermost first.
type mark struct {
	tid    int
	start  uint64
	skip   int
	frames []markFrame
}

// markFrame is a return address of the function in, or a gap.
type markFrame struct {
	gap bool
	ra  uint64
	in  string
}

// fields are the key=value pairs of a line.
type fields map[string]string

func (f fields) number(key string) uint64 {
	if n, err := strconv.ParseInt(f[key], 0, 64); err == nil {
		return uint64(n)
	}
	n, _ := strconv.ParseUint(f[key], 0, 64)
	return n
}

func (f fields) span() vm.Range { return vm.Range{Start: f.number("start"), End: f.number("end")} }

func readAccount(t *testing.T, path string) *account {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	a := &account{other: map[string][]fields{}}
	current := map[int]*section{} // by pid
	maps := map[*section]*strings.Builder{}
	of := func(pid int) *section {
		s := current[pid]
		if s == nil {
			s = &section{pid: pid}
			current[pid] = s
			a.sections = append(a.sections, s)
		}
		return s
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		word, rest, _ := strings.Cut(line, " ")
		if word == "maps" {
			id, row, _ := strings.Cut(rest, " ")
			pid, err := strconv.Atoi(id)
			if err != nil {
				t.Fatalf("account: %q: %v", line, err)
			}
			s := of(pid)
			if maps[s] == nil {
				maps[s] = &strings.Builder{}
			}
			maps[s].WriteString(row + "\n")
			continue
		}
		f := fields{}
		for kv := range strings.FieldsSeq(rest) {
			if k, v, ok := strings.Cut(kv, "="); ok {
				f[k] = v
			}
		}
		pid := int(f.number("pid"))
		tid := int(f.number("tid"))
		switch word {
		case "account":
			delete(current, pid)
			of(pid).program = f["program"]
		case "did":
			s := of(pid)
			s.did = append(s.did, did{tid: tid, fn: f["fn"], call: f["call"], addr: f.number("addr"),
				len: f.number("len"), result: f.number("result"), error: f["error"]})
		case "live":
			s := of(pid)
			s.live = append(s.live, live{f.span(), f["fn"], f["call"], tid})
		case "grown":
			s := of(pid)
			s.grown = append(s.grown, grown{f.span(), f["beside"]})
		case "moved":
			s := of(pid)
			s.moved = append(s.moved, moved{f.number("from"), f.number("to"), f.number("len")})
		case "mark":
			s := of(pid)
			s.marks = append(s.marks, &mark{tid: tid, start: f.number("start"), skip: int(f.number("skip"))})
		case "frame", "gap":
			s := of(pid)
			for _, m := range s.marks {
				if m.start == f.number("start") {
					m.frames = append(m.frames, markFrame{gap: word == "gap", ra: f.number("ra"), in: f["in"]})
				}
			}
		case "end":
			of(pid).ended = true
		case "lacks":
			a.lacks = append(a.lacks, f["what"])
		case "broken":
			t.Errorf("the traced program is broken: %s", line)
		default:
			a.other[word] = append(a.other[word], f)
		}
	}
	for s, text := range maps {
		if s.maps, err = vm.ParseMaps(nil, []byte(text.String())); err != nil {
			t.Fatalf("account: maps of %d: %v", s.pid, err)
		}
	}
	return a
}
