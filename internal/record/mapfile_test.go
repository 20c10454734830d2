package record

import (
	"bytes"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
)

const savedMaps = "00400000-00401000 r-xp 00000000 fe:00 7                          /bin/x\n7f0000000000-7f0000021000 rw-p 00000000 00:00 0 \n"

func TestMapText(t *testing.T) {
	for name, c := range map[string]struct {
		text, path string
		figures    bool
	}{
		"maps":    {savedMaps, "/bin/x", false},
		"smaps":   {strings.Replace(savedMaps, "/bin/x\n", "/bin/x\nRss: 4 kB\nPss: 4 kB\nVmFlags: rd ex\n", 1), "/bin/x", true},
		"pmap":    {"4711:   x\n0000000000400000      4K r-x-- x\n00007f0000000000    132K rw---   [ anon ]\n", "/?/x", false},
		"pmap -x": {"4711:   x\nAddress           Kbytes     RSS   Dirty Mode  Mapping\n0000000000400000       4       4       0 r-x-- x\n00007f0000000000     132       8       8 rw---   [ anon ]\n", "/?/x", false},
	} {
		log, err := MapText([]byte(c.text), "t")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		space, shots, notes := log[1].(*eventlog.Space), 0, 0
		for _, r := range log {
			switch r.(type) {
			case *eventlog.Snapshot:
				shots++
			case *eventlog.Note:
				notes++
			}
		}
		if len(space.Mappings) != 2 || space.Mappings[0].Path != c.path || space.Mappings[1].Path != "" || (shots == 1) != c.figures || notes != 1 {
			t.Errorf("%s: %d snapshots, %d notes, %+v", name, shots, notes, space.Mappings)
		}
		if strings.HasPrefix(name, "pmap") && space.PID != 4711 {
			t.Errorf("%s: pid %d", name, space.PID)
		}
	}
	for _, text := range []string{"", "no row\n", "00400000-00401000\n", savedMaps + savedMaps} {
		if _, err := MapText([]byte(text), "t"); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzMapText: whatever the text is, the log that comes of it is one that check passes.
func FuzzMapText(f *testing.F) {
	f.Add([]byte(savedMaps))
	f.Add([]byte("4711:   x\n0000000000400000      4K r-x-- x\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		log, err := MapText(text, "t")
		if err != nil {
			return
		}
		var b []byte
		for _, r := range log {
			b = eventlog.AppendRecord(b, r)
		}
		if err := eventlog.Check(bytes.NewReader(b), func(p eventlog.Problem) { t.Errorf("%+v of %q", p, text) }); err != nil {
			t.Fatal(err)
		}
	})
}
