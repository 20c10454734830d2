package vm

import (
	"slices"
	"strings"
	"testing"
)

const smaps = `7f0000000000-7f0000003000 rw-p 00000000 00:00 0                          [anon:a name]
Size:                 12 kB
KernelPageSize:        4 kB
MMUPageSize:           4 kB
Rss:                   8 kB
Pss:                   6 kB
Pss_Dirty:             8 kB
Shared_Clean:          1 kB
Shared_Dirty:          3 kB
Private_Clean:         0 kB
Private_Dirty:         4 kB
Referenced:            8 kB
Anonymous:             8 kB
AnonHugePages:         2 kB
Swap:                  2 kB
SwapPss:               1 kB
Locked:                6 kB
THPeligible:           0
ProtectionKey:         0
VmFlags: rd wr mr mw me ac sd 
7f0000003000-7f0000004000 rw-s 00000000 00:01 9                          [anon_shmem:b]
Rss:                   4 kB
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
Rss:                  40 kB
VmFlags: ex 
`

func TestParseSmaps(t *testing.T) {
	want := []SmapsEntry{
		{
			Mapping: Mapping{Range{0x7f0000000000, 0x7f0000003000}, Read | Write, 0, File{Path: "[anon:a name]"}},
			Rss:     8 << 10, Pss: 6 << 10, PrivateDirty: 4 << 10, Swap: 2 << 10, PageSize: 4 << 10,
			Shared: 4 << 10, Huge: 2 << 10, Locked: 6 << 10,
			AnonName: "a name", VmFlags: "rd wr mr mw me ac sd",
		},
		{
			Mapping: Mapping{Range{0x7f0000003000, 0x7f0000004000}, Read | Write | Shared, 0, File{Dev{0, 1}, 9, "[anon_shmem:b]"}},
			Rss:     4 << 10, AnonName: "b",
		},
	}
	got, err := ParseSmaps(nil, []byte(smaps))
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("got %+v, %v\nwant %+v", got, err, want)
	}
}

// TestSmapsInPieces: it does not matter between which lines the text is cut.
func TestSmapsInPieces(t *testing.T) {
	want, err := ParseSmaps(nil, []byte(smaps))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(smaps, "\n")
	for n := 1; n < len(lines); n++ {
		var p SmapsParser
		buf := []byte{}
		for piece := range slices.Chunk(lines, n) {
			buf = append(buf[:0], strings.Join(piece, "")...) // the same memory again
			if err := p.Parse(buf); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(p.Rows, want) {
			t.Errorf("%d lines a piece: %+v\nwant %+v", n, p.Rows, want)
		}
	}
	var p SmapsParser
	if err := p.Parse([]byte(lines[0])); err != nil {
		t.Fatal(err)
	}
	if err := p.Parse([]byte("no row\n")); err == nil || !strings.HasPrefix(err.Error(), "line 2: ") {
		t.Errorf("the error of a second piece: %v", err)
	}
}

func TestParseSmapsRejects(t *testing.T) {
	const row = "1000-2000 rw-p 00000000 00:00 0 \n"
	for _, bad := range []string{
		"Rss: 4 kB\n" + row,
		row + "Rss: 4\n",
		row + "Rss: kB\n",
		row + "Rss: -4 kB\n",
		row + "Rss: 4 8 kB\n",
		row + "Swap: 18014398509481984 kB\n",
		row + "Pss: 99999999999999999999 kB\n",
		row + "no figure\n",
		row + ":\n",
	} {
		if got, err := ParseSmaps(nil, []byte(bad)); err == nil || !strings.HasPrefix(err.Error(), "line ") {
			t.Errorf("%q: %v, %v", bad, got, err)
		}
	}
	if got, err := ParseSmaps(nil, []byte(row+"Rss: 18014398509481983 kB\nUnknown: x\n")); err != nil || got[0].Rss != 1<<64-1024 {
		t.Errorf("largest figure: %v, %v", got, err)
	}
}

func FuzzParseSmaps(f *testing.F) {
	f.Add([]byte(smaps))
	f.Fuzz(func(t *testing.T, text []byte) {
		entries, _ := ParseSmaps(nil, text)
		for _, e := range entries {
			if e.Start >= e.End || (e.Start|e.End)%PageSize != 0 || (e.Rss|e.Pss|e.PrivateDirty|e.Swap)%1024 != 0 {
				t.Fatalf("entry %+v", e)
			}
			if e.AnonName != "" && !strings.Contains(e.File.Path, e.AnonName) {
				t.Fatalf("name %q of %q", e.AnonName, e.File.Path)
			}
		}
	})
}

// TestNewest: a row that has grown downwards while the text was read takes the place of what was shown before it.
func TestNewest(t *testing.T) {
	row := func(start, end, pages uint64) SmapsEntry {
		e := SmapsEntry{Mapping: Mapping{Range: Range{Start: start * PageSize, End: end * PageSize}}}
		e.Rss = pages * PageSize
		e.Pss = e.Rss / 2
		return e
	}
	for name, c := range map[string]struct {
		rows, want []SmapsEntry
		cut        bool
	}{
		"none":                {nil, nil, false},
		"apart":               {[]SmapsEntry{row(1, 2, 1), row(2, 3, 1), row(5, 9, 2)}, []SmapsEntry{row(1, 2, 1), row(2, 3, 1), row(5, 9, 2)}, false},
		"joined":              {[]SmapsEntry{row(1, 2, 1), row(2, 3, 1), row(2, 5, 3), row(6, 7, 0)}, []SmapsEntry{row(1, 2, 1), row(2, 5, 3), row(6, 7, 0)}, false},
		"joined with several": {[]SmapsEntry{row(1, 2, 1), row(2, 3, 1), row(4, 5, 1), row(1, 6, 3)}, []SmapsEntry{row(1, 6, 3)}, false},
		"cut and joined":      {[]SmapsEntry{row(1, 5, 4), row(3, 7, 2)}, []SmapsEntry{row(1, 3, 2), row(3, 7, 2)}, true},
		"out of order":        {[]SmapsEntry{row(7, 9, 1), row(1, 8, 1)}, []SmapsEntry{row(7, 9, 1), row(1, 8, 1)}, false},
	} {
		got, cut := Newest(slices.Clone(c.rows))
		if cut != c.cut || len(got) != len(c.want) {
			t.Errorf("%s: %v, cut: %v", name, got, cut)
			continue
		}
		for i := range got {
			g, w := got[i], c.want[i]
			if c.cut && i == 0 {
				w.Pss = 2 * PageSize // of all four pages, but not more than what is left
			}
			if g != w {
				t.Errorf("%s: row %d: %+v, want %+v", name, i, g, w)
			}
		}
	}
}
