package symbolize

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"io"
	"slices"
	"sort"
	"strconv"
)

const (
	maxPerfLine = 64 << 10
	// maxPerfMap bounds what is read of a perf map, in bytes.
	maxPerfMap = 1 << 30
)

// ResolvePerfMap names addresses of a process by the list of functions that a just-in-time compiler has written to
// /tmp/perf-PID.map (tools/perf/Documentation/jit-interface.txt in the kernel's source): lines of a start and a size
// in hexadecimal and a name. Malformed lines are skipped, and so is an incomplete last line: the file may still be
// growing. It calls yield once for each distinct address that has a name, in ascending order. The list is not kept in
// memory, whatever its length.
//
// Compilers reuse memory, and the list does not say when: an address that was covered by functions of different names
// gets none.
func ResolvePerfMap(r io.Reader, addrs []uint64, yield func(addr uint64, s Symbol)) error {
	found := make([]perfFunction, 0, len(addrs))
	for _, a := range addrs {
		found = append(found, perfFunction{addr: a})
	}
	slices.SortFunc(found, func(a, b perfFunction) int { return cmp.Compare(a.addr, b.addr) })
	found = slices.CompactFunc(found, func(a, b perfFunction) bool { return a.addr == b.addr })
	lines := bufio.NewReaderSize(io.LimitReader(r, maxPerfMap), maxPerfLine)
	for {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = lines.ReadSlice('\n')
			}
			line = nil
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		start, size, name, ok := parsePerfLine(line)
		if !ok {
			continue
		}
		i := sort.Search(len(found), func(i int) bool { return found[i].addr >= start })
		for ; i < len(found) && found[i].addr-start < size; i++ {
			found[i].add(start, name)
		}
	}
	for i := range found {
		if f := &found[i]; f.name != "" && !f.several {
			yield(f.addr, Symbol{Frames: []Frame{newFrame(f.name, f.start)}, Source: "perfmap"})
		}
	}
	return nil
}

// perfFunction is what the list says of one address.
type perfFunction struct {
	addr, start uint64
	name        string
	several     bool
}

func (f *perfFunction) add(start uint64, name []byte) {
	if f.name != "" && f.name != string(name) {
		f.several = true
		return
	}
	f.start = start
	if f.name == "" {
		f.name = string(name)
	}
}

func parsePerfLine(line []byte) (start, size uint64, name []byte, ok bool) {
	first, rest, _ := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
	second, name, ok := bytes.Cut(rest, []byte(" "))
	if !ok || len(name) == 0 {
		return 0, 0, nil, false
	}
	start, err1 := parsePerfNumber(first)
	size, err2 := parsePerfNumber(second)
	if err1 != nil || err2 != nil || size == 0 || start+size < start {
		return 0, 0, nil, false
	}
	return start, size, name, true
}

func parsePerfNumber(b []byte) (uint64, error) {
	return strconv.ParseUint(string(bytes.TrimPrefix(b, []byte("0x"))), 16, 64)
}
