package symbolize

import (
	"bytes"
	"debug/elf"
	"runtime"
	"testing"

	"github.com/vmblame/vmblame/internal/elffile"
)

// spreadOver lists addresses in and about the code of f.
func spreadOver(f *elffile.File) []uint64 {
	addrs := []uint64{0, 1, f.Entry(), 1<<64 - 1}
	for _, c := range f.Code() {
		for i := range uint64(64) {
			addrs = append(addrs, c.Start+c.Len()/64*i+i)
		}
	}
	return addrs
}

// bounded fails where f allocates more than the bytes it is given can be worth.
func bounded(t *testing.T, f func()) {
	t.Helper()
	const limit = 256 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > limit {
		t.Errorf("%d bytes were allocated", n)
	}
}

// FuzzFile names addresses of any bytes that pass for an ELF file.
func FuzzFile(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := elffile.Open(bytes.NewReader(data), int64(len(data)), "fuzz")
		if err != nil {
			return
		}
		defer e.Close()
		bounded(t, func() { resolve(t, e, Options{DebugDirs: []string{"/nonexistent"}}, spreadOver(e)) })
	})
}

// FuzzPLT decodes any bytes as a stub.
func FuzzPLT(f *testing.F) {
	f.Fuzz(func(t *testing.T, stub []byte, addr uint64) {
		for _, machine := range []elf.Machine{elf.EM_X86_64, elf.EM_386} {
			slots := &pltSlots{machine: machine, at: map[uint64]uint32{addr: 0, addr + 16: 1}, jumps: []uint32{0, 1},
				got: 1, relSize: 8}
			if n, ok := slots.target(stub, addr); ok && n > 1 {
				t.Errorf("target %d", n)
			}
		}
	})
}

// FuzzPerfMap reads any text as a perf map.
func FuzzPerfMap(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte, addr uint64) {
		last, n := uint64(0), 0
		err := ResolvePerfMap(bytes.NewReader(text), []uint64{addr, 0x7f18, addr, addr + 1}, func(a uint64, s Symbol) {
			if n++; n > 1 && a <= last {
				t.Errorf("%#x after %#x", a, last)
			}
			last = a
			if len(s.Frames) != 1 || s.Frames[0].Function == "" || s.Frames[0].Start > a {
				t.Errorf("%#x: %+v", a, s)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzDemangled demangles any name.
func FuzzDemangled(f *testing.F) {
	f.Fuzz(func(t *testing.T, raw string) {
		if s := demangled(raw); s == "" && raw != "" || len(s) > 1<<16 && s != raw {
			t.Errorf("%.60q becomes %d bytes", raw, len(s))
		}
	})
}
