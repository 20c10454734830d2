package symbolize

import (
	"bufio"
	"bytes"
	"io"
	"strconv"
	"strings"
)

const (
	maxPerfLine    = 64 << 10
	maxPerfSymbols = 1 << 20
)

// PerfMap is the list of functions that a just-in-time compiler has written to /tmp/perf-PID.map, by the
// addresses of the process (tools/perf/Documentation/jit-interface.txt in the kernel's source). It is not
// changed after it was read and safe for concurrent use.
type PerfMap struct {
	functions spans // ref is the index of the name
	names     []string
}

// ReadPerfMap reads a perf map: lines of a start and a size in hexadecimal and a name. What has another
// form is passed over, as is a last line that is not whole: the file may still be written to. A function
// written later takes the place of what it overlaps, for compilers reuse memory.
func ReadPerfMap(r io.Reader) (*PerfMap, error) {
	m := new(PerfMap)
	lines := bufio.NewReaderSize(r, maxPerfLine)
	for len(m.names) < maxPerfSymbols {
		line, err := lines.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			for err == bufio.ErrBufferFull {
				_, err = lines.ReadSlice('\n')
			}
			line = nil
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		m.add(bytes.TrimSuffix(line, []byte("\n")))
	}
	m.functions.sort()
	return m, nil
}

func (m *PerfMap) add(line []byte) {
	start, rest, _ := strings.Cut(string(line), " ")
	size, name, ok := strings.Cut(rest, " ")
	lo, err := strconv.ParseUint(strings.TrimPrefix(start, "0x"), 16, 64)
	if err != nil || !ok || name == "" {
		return
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(size, "0x"), 16, 64)
	if err != nil || n == 0 || lo+n < lo {
		return
	}
	m.functions = append(m.functions, span{lo: lo, hi: lo + n, ref: uint64(len(m.names))})
	m.names = append(m.names, name)
}

// Lookup names an address of the process.
func (m *PerfMap) Lookup(addr uint64) (Symbol, bool) {
	var best span
	found := false
	m.functions.at(addr, func(s span) bool {
		if !found || s.ref > best.ref {
			best, found = s, true
		}
		return true
	})
	if !found {
		return Symbol{}, false
	}
	return Symbol{Frames: []Frame{newFrame(m.names[best.ref], best.lo)}, Source: "perfmap"}, true
}
