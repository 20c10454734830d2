package vm

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

const maps = `00400000-00401000 r--p 00000000 fe:00 1835021                            /usr/bin/a b
00401000-00402000 r-xp 00001000 fe:00 1835021                            /usr/bin/a b
0a000000-0a021000 rw-p 00000000 00:00 0                                  [heap]
7f0000000000-7f0000001000 ---p 00000000 00:00 0 
7f0000001000-7f0000002000 -w-s 00000000 00:01 3                          /SYSV00000000 (deleted)
7f0000002000-7f0000003000 rw-p 7fffffffff000 103:100000 18446744073709551615 /x\012y (deleted)
7f0000003000-7f0000004000 rw-p 00000000 00:00 0                          [anon:a name]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
`

func mapsRows() []Mapping {
	a := File{Dev{0xfe, 0}, 1835021, "/usr/bin/a b"}
	return []Mapping{
		{Range{0x400000, 0x401000}, Read, 0, a},
		{Range{0x401000, 0x402000}, Read | Exec, 0x1000, a},
		{Range{0xa000000, 0xa021000}, Read | Write, 0, File{Path: "[heap]"}},
		{Range{0x7f0000000000, 0x7f0000001000}, 0, 0, File{}},
		{Range{0x7f0000001000, 0x7f0000002000}, Write | Shared, 0, File{Dev{0, 1}, 3, "/SYSV00000000 (deleted)"}},
		{Range{0x7f0000002000, 0x7f0000003000}, Read | Write, 0x7fffffffff000, File{Dev{0x103, 0x100000}, 1<<64 - 1, "/x\ny (deleted)"}},
		{Range{0x7f0000003000, 0x7f0000004000}, Read | Write, 0, File{Path: "[anon:a name]"}},
	}
}

func TestParseMaps(t *testing.T) {
	want := mapsRows()
	got, err := ParseMaps(nil, []byte(maps))
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("got %v, %v\nwant %v", got, err, want)
	}
	// Without the last newline, behind rows that stand already, out of a buffer that is written over.
	text := []byte(strings.TrimSuffix(maps, "\n"))
	var p MapsParser
	for range 2 {
		got, err = p.Parse(want[:1:1], text)
		if err != nil || !slices.Equal(got, append(want[:1:1], want...)) {
			t.Fatalf("got %v, %v", got, err)
		}
	}
	clear(text)
	if !slices.Equal(got[1:], want) {
		t.Fatalf("rows changed with the buffer: %v", got)
	}
}

func TestParseMapsRejects(t *testing.T) {
	const good = "00400000-00401000 r--p 00000000 fe:00 12 /a"
	if _, err := ParseMaps(nil, []byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		"x",
		"00400000-00401000",
		"00400000 00401000 r--p 00000000 fe:00 12 /a",
		"0040000g-00401000 r--p 00000000 fe:00 12 /a",
		"-00401000 r--p 00000000 fe:00 12 /a",
		"00000000000400000-00401000 r--p 00000000 fe:00 12 /a",
		"00401000-00400000 r--p 00000000 fe:00 12 /a",
		"00400000-00400000 r--p 00000000 fe:00 12 /a",
		"00400000-00401001 r--p 00000000 fe:00 12 /a",
		"00400000-00401000 r-- 00000000 fe:00 12 /a",
		"00400000-00401000 r--q 00000000 fe:00 12 /a",
		"00400000-00401000 w--p 00000000 fe:00 12 /a",
		"00400000-00401000 r--pp 00000000 fe:00 12 /a",
		"00400000-00401000 r--p  fe:00 12 /a",
		"00400000-00401000 r--p 00000000 fe00 12 /a",
		"00400000-00401000 r--p 00000000 100000000:00 12 /a",
		"00400000-00401000 r--p 00000000 00:100000000 12 /a",
		"00400000-00401000 r--p 00000000 fe:00 1a /a",
		"00400000-00401000 r--p 00000000 fe:00 18446744073709551616 /a",
		"00400000-00401000 r--p 00000000 fe:00 ",
		"00400000-00401000 r--p 00000000 fe:00",
		"Rss: 4 kB",
	} {
		got, err := ParseMaps(nil, []byte(good+"\n\n"+bad+"\n"+good))
		if err == nil || !strings.HasPrefix(err.Error(), "line 3: ") || len(got) != 1 {
			t.Errorf("%q: %v, %v", bad, got, err)
		}
	}
}

// TestParseOwnMaps reads what this kernel says of this process, and writes it again.
func TestParseOwnMaps(t *testing.T) {
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := ParseMaps(nil, text)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); f[len(f)-1] != "[vsyscall]" {
			want = append(want, strings.Join(f, " "))
		}
	}
	if len(rows) != len(want) {
		t.Fatalf("%d rows, want %d", len(rows), len(want))
	}
	for i, m := range rows {
		if got := strings.Join(strings.Fields(m.String()), " "); got != want[i] {
			t.Errorf("row %d: %q, want %q", i, got, want[i])
		}
	}
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := ParseSmaps(nil, smaps)
	if err != nil || len(entries) == 0 {
		t.Fatalf("%d rows of smaps, %v", len(entries), err)
	}
	var rss uint64
	for _, e := range entries {
		rss += e.Rss
		if e.VmFlags == "" || e.Rss > e.Len() || e.Pss > e.Rss || e.PrivateDirty > e.Rss {
			t.Errorf("%v: flags %q, rss %d, pss %d, dirty %d", e.Mapping, e.VmFlags, e.Rss, e.Pss, e.PrivateDirty)
		}
	}
	if rss == 0 {
		t.Error("nothing is resident")
	}
}

func TestMapsParserForgets(t *testing.T) {
	var p MapsParser
	for i := range 3 * maxTexts {
		line := fmt.Sprintf("1000-2000 rw-s 0 00:01 5 /memfd:%d", i)
		rows, err := p.Parse(nil, []byte(line))
		if err != nil || len(rows) != 1 || rows[0].File.Path != fmt.Sprintf("/memfd:%d", i) {
			t.Fatalf("%q: %v, %v", line, rows, err)
		}
		if len(p.texts) > maxTexts {
			t.Fatalf("%d texts kept", len(p.texts))
		}
	}
}

func TestMapsParserAllocatesNothing(t *testing.T) {
	var p MapsParser
	text := []byte(strings.ReplaceAll(maps, `\012`, ""))
	rows, _ := p.Parse(nil, text)
	if n := testing.AllocsPerRun(10, func() { rows, _ = p.Parse(rows[:0], text) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParseMaps(f *testing.F) {
	f.Add([]byte(maps))
	f.Add([]byte("1000-2000 rwxs 0 0:0 0"))
	f.Fuzz(func(t *testing.T, text []byte) {
		rows, err := ParseMaps(nil, text)
		var p MapsParser
		again, errAgain := p.Parse(nil, text)
		if !slices.Equal(rows, again) || (err == nil) != (errAgain == nil) {
			t.Fatalf("%v, %v and %v, %v", rows, err, again, errAgain)
		}
		for _, m := range rows {
			if m.Start >= m.End || (m.Start|m.End)%PageSize != 0 || m.Start >= VsyscallStart {
				t.Fatalf("row %v", m)
			}
			if strings.ContainsAny(m.File.Path, "\n\\") {
				continue // what is printed is not what is read
			}
			same, err := ParseMaps(nil, []byte(m.String()))
			if err != nil || len(same) != 1 || same[0] != m {
				t.Fatalf("%v written and read: %v, %v", m, same, err)
			}
		}
		entries, errSmaps := ParseSmaps(nil, text)
		if err == nil && (errSmaps != nil || len(entries) != len(rows)) {
			t.Fatalf("as smaps: %v, %v", entries, errSmaps)
		}
	})
}

// benchMaps is a text of 300 rows as a program with 60 libraries has it.
func benchMaps() []byte {
	var b strings.Builder
	addr := uint64(0x7f3a51c00000)
	for lib := range 60 {
		for seg, perms := range []string{"r--p", "r-xp", "r--p", "rw-p"} {
			fmt.Fprintf(&b, "%08x-%08x %s %08x fe:00 %-26d /usr/lib/x86_64-linux-gnu/libsomething-%d.so.6.0.29\n",
				addr, addr+0x25000, perms, seg*0x25000, 1835021+lib, lib)
			addr += 0x25000
		}
		fmt.Fprintf(&b, "%08x-%08x rw-p 00000000 00:00 0 \n", addr, addr+0x3000)
		addr += 0x13000
	}
	return []byte(b.String())
}

func BenchmarkParseMaps(b *testing.B) {
	text := benchMaps()
	b.Run("parser", func(b *testing.B) {
		var p MapsParser
		var rows []Mapping
		b.ReportAllocs()
		for b.Loop() {
			rows, _ = p.Parse(rows[:0], text)
		}
		if len(rows) != 300 {
			b.Fatalf("%d rows", len(rows))
		}
	})
	b.Run("function", func(b *testing.B) {
		var rows []Mapping
		b.ReportAllocs()
		for b.Loop() {
			rows, _ = ParseMaps(rows[:0], text)
		}
	})
}
