package vm

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"testing"
)

func TestParseMapText(t *testing.T) {
	row := func(start, end uint64, perms string, resident int64, path string) MapRow {
		return MapRow{Range{Start: start, End: end}, perms, resident, path}
	}
	for name, c := range map[string]struct {
		text string
		rows []MapRow
		pid  int
	}{
		"maps": {"7f0000000000-7f0000001000 rw-p 00000000 fe:00 12                         /srv/a b\n7f0000002000-7f0000003000 ---p 00000000 00:00 0 \n",
			[]MapRow{row(0x7f0000000000, 0x7f0000001000, "rw-p", -1, "/srv/a b"), row(0x7f0000002000, 0x7f0000003000, "---p", -1, "")}, 0},
		"range alone": {"0x7f0000000000-7f0000001000", []MapRow{row(0x7f0000000000, 0x7f0000001000, "", -1, "")}, 0},
		"smaps": {"00400000-00401000 r-xp 00000000 fe:00 12 /bin/x\nSize:                  4 kB\nRss:                   4 kB\nPss:    1 kB\nVmFlags: rd ex\n" +
			"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\nRss: 0 kB\n",
			[]MapRow{row(0x400000, 0x401000, "r-xp", 4<<10, "/bin/x")}, 0},
		"pmap": {"4711:   /bin/x -y\n0000000000400000    132K r-x-- x\n00007ffd00000000      4K rw-s-   [ anon ]\n total             136K\n",
			[]MapRow{row(0x400000, 0x421000, "r-xp", -1, "x"), row(0x7ffd00000000, 0x7ffd00001000, "rw-s", -1, "[ anon ]")}, 4711},
		"pmap -x": {"4711:   /bin/x\nAddress           Kbytes     RSS   Dirty Mode  Mapping\n0000000000400000     132      64       0 r-x-- x y\n---------------- ------- ------- -------\ntotal kB             132      64       0\n",
			[]MapRow{row(0x400000, 0x421000, "r-xp", 64<<10, "x y")}, 4711},
		"pmap -X": {"4711:   /bin/x\n         Address Perm   Offset Device   Inode Size  Rss  Pss Referenced Mapping\n    561a2e0ef000 r-xp 00000000  fe:00 9982424   32   28   28         28 case\n                                             ==== ==== ==== ==========\n                                               32   28   28 28 KB\n",
			[]MapRow{row(0x561a2e0ef000, 0x561a2e0f7000, "r-xp", 28<<10, "case")}, 4711},
	} {
		rows, pid, err := ParseMapText([]byte(c.text))
		if err != nil || pid != c.pid || !reflect.DeepEqual(rows, c.rows) {
			t.Errorf("%s: %+v, pid %d, %v, want %+v, pid %d", name, rows, pid, err, c.rows, c.pid)
		}
	}
	for _, text := range []string{"", "\n", "hello", "4711:  x\n", "00400000 r-xp\n", "total 4K", "ffffffffffffffff-1 r-xp"} {
		if rows, _, err := ParseMapText([]byte(text)); !errors.Is(err, ErrNoRows) {
			t.Errorf("%q: %v, %v", text, rows, err)
		}
	}
}

// TestOwnMapText: this very process's memory map is read whole.
func TestOwnMapText(t *testing.T) {
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	want, err := ParseSmaps(nil, text)
	if err != nil {
		t.Fatal(err)
	}
	rows, _, err := ParseMapText(text)
	if err != nil || len(rows) != len(want) {
		t.Fatalf("%d rows, want %d (%v)", len(rows), len(want), err)
	}
	for i, r := range rows {
		w := want[i]
		if r.Range != w.Range || r.Perms != w.Perms.String() || r.Resident != int64(w.Rss) || r.Path != w.File.Path {
			t.Errorf("%+v, want %v with %d", r, w.Mapping, w.Rss)
		}
	}
}

func TestParseRange(t *testing.T) {
	for s, want := range map[string]Range{
		"7f00": {Start: 0x7f00, End: 0x7f01}, "0x7f00": {Start: 0x7f00, End: 0x7f01}, "0x1000-0x2000": {Start: 0x1000, End: 0x2000}, "1000-2000": {Start: 0x1000, End: 0x2000},
	} {
		if got, err := ParseRange(s); err != nil || got != want {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "x", "-", "1000-", "-1000", "2000-1000", "1000-1000", "0x", "10000000000000000", "ffffffffffffffff"} {
		if got, err := ParseRange(s); err == nil {
			t.Errorf("%s: %v", s, got)
		}
	}
}

func FuzzMapText(f *testing.F) {
	for _, s := range []string{
		"7f0000000000-7f0000001000 rw-p 00000000 fe:00 12  /srv/a b\nRss: 4 kB\n", "4711:   x\n0000000000400000    132K r-x-- x\n",
		"Address           Kbytes     RSS   Dirty Mode  Mapping\n0000000000400000     132      64       0 r-x-- x y\n",
		"Address Perm Offset Device Inode Size Rss Mapping\n561a2e0ef000 r-xp 00000000 fe:00 9 32 28 case\n", "ffffffffffffe000-ffffffffffffffff rw-p",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		rows, _, err := ParseMapText(text)
		if (err == nil) != (len(rows) > 0) {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		for _, r := range rows {
			if r.Empty() || r.Resident < -1 {
				t.Fatalf("%+v", r)
			}
		}
	})
}

// TestSinglePmapRows: rows of pmap -x, -X and -XX without the line that names their columns (grep, -q), and
// the flags of -XX, which are as many words as there are.
func TestSinglePmapRows(t *testing.T) {
	const columns = "%16s %4s %8s %6s %8s %6s %4s %4s %20s %s\n"
	full := func(flags, path string) string {
		return fmt.Sprintf(columns, "Address", "Perm", "Offset", "Device", "Inode", "Size", "MMU", "Rss", "VmFlags", "Mapping") +
			fmt.Sprintf(columns, "55707e9e1000", "r--p", "00000000", "fe:00", "1017", "8", "4", "8", flags, path)
	}
	for text, want := range map[string]MapRow{
		"000055707e9e1000       8       4       0 r---- a b\n":                       {Perms: "r--p", Resident: 4096, Path: "a b"},
		"000055707e9e1000       8       4       4 rw-s-   [ anon ]\n":                {Perms: "rw-s", Resident: 4096, Path: "[ anon ]"},
		"    55707e9e1000 r--p 00000000  fe:00 1017      8    8    8         0 gt\n": {Perms: "r--p", Resident: -1, Path: "gt"},
		"    55707e9e1000 rw-p 00000000  00:00    0      8    8    8         0\n":    {Perms: "rw-p", Resident: -1},
		full("rd wr mr mw me", "gt"):                                                 {Perms: "r--p", Resident: 8192, Path: "gt"},
		full("rd mr mw me ac sd", "a b"):                                             {Perms: "r--p", Resident: 8192, Path: "a b"},
		full("rd", ""):                                                               {Perms: "r--p", Resident: 8192},
	} {
		want.Range = Range{Start: 0x55707e9e1000, End: 0x55707e9e3000}
		if rows, _, err := ParseMapText([]byte(text)); err != nil || len(rows) != 1 || rows[0] != want {
			t.Errorf("%q: %+v, %v; want %+v", text, rows, err, want)
		}
	}
}
