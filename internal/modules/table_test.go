package modules

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/openfile"
	"github.com/vmblame/vmblame/internal/procfs"
	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/vm"
)

// self is this process, whose memory is read through /proc.
type self struct {
	id     int
	ledger *ledger.Ledger
	maps   *procfs.Maps
}

func (s *self) ID() int                { return s.id }
func (s *self) Ledger() *ledger.Ledger { return s.ledger }
func (s *self) Maps() *procfs.Maps     { return s.maps }
func (s *self) TID() int               { return os.Getpid() }

func (s *self) ReadMemory(addr uint64, p []byte) int {
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		return 0
	}
	defer mem.Close()
	n, _ := mem.ReadAt(p, int64(addr))
	return n
}

func newSelf(t *testing.T, id int) *self {
	t.Helper()
	maps, err := procfs.OpenMaps(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(maps.Close)
	rows, err := maps.All()
	if err != nil {
		t.Fatal(err)
	}
	s := &self{id: id, ledger: ledger.New(), maps: maps}
	s.ledger.Load(rows, func(vm.Mapping) ledger.Origin { return ledger.Origin{Cause: ledger.Kernel} })
	return s
}

// code returns the entry of this process that runs from a path.
func (s *self) code(t *testing.T, path string) ledger.Entry {
	t.Helper()
	for e := range s.ledger.All {
		if e.Perms&vm.Exec != 0 && e.File.Path == path {
			return e
		}
	}
	t.Fatalf("nothing runs from %s", path)
	return ledger.Entry{}
}

func TestOwnProcess(t *testing.T) {
	var seen []*Module
	var in []Space
	table := New(func(m *Module, sp Space) { seen, in = append(seen, m), append(in, sp) })
	s := newSelf(t, 1)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	code := table.Code(s)
	at := s.code(t, exe)
	for range 2 {
		m, offset, ok := code.CodeAt(at.Start + 16)
		if !ok || table.ID(m) != 1 {
			t.Fatalf("module %d, %v", table.ID(m), ok)
		}
		if want, _ := seen[0].File.VaddrOf(at.Offset + 16); offset != want {
			t.Errorf("offset %#x, want %#x", offset, want)
		}
	}
	vdso := s.code(t, "[vdso]")
	m, _, _ := code.CodeAt(vdso.Start)
	if len(seen) != 2 || table.ID(m) != 2 || seen[1].Path != "[vdso]" || seen[1].File == nil || in[1] != nil {
		t.Fatalf("the vdso is %+v", seen[len(seen)-1])
	}
	if _, _, ok := code.CodeAt(1); ok {
		t.Error("code at address 1")
	}
	if a, b := table.ID(nil), table.ID(nil); a != 3 || b != 3 || seen[2].Path != "[anon]" || in[2] != nil {
		t.Error("code in no mapping has no module")
	}
}

// Code in no file is each space's own.
func TestCodeInNoFile(t *testing.T) {
	announced := 0
	table := New(func(_ *Module, in Space) {
		announced++
		if in == nil {
			t.Error("nothing says where it stands")
		}
	})
	at := vm.Range{Start: 0x10000, End: 0x12000}
	var ids []int
	for _, id := range []int{1, 2, 1} {
		s := &self{id: id, ledger: ledger.New()}
		s.ledger.Add(ledger.Entry{Mapping: vm.Mapping{Range: at, Perms: vm.Read | vm.Exec}}, nil)
		m, offset, ok := table.Code(s).CodeAt(at.Start + 4)
		if !ok || offset != at.Start+4 {
			t.Fatalf("offset %#x, %v", offset, ok)
		}
		ids = append(ids, table.ID(m))
	}
	if ids[0] == ids[1] || ids[0] != ids[2] || announced != 2 {
		t.Errorf("modules %v", ids)
	}
}

// A file that was written to since is another module; one that was replaced or deleted is the one it was.
func TestChangedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "program")
	testenv.Need(t, "true")
	program, err := exec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	image, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, image, 0o700); err != nil {
		t.Fatal(err)
	}
	m := fileAt(path, path+" (deleted)")
	if m == nil || m.Name() != path || !m.Intact() {
		t.Fatalf("%+v", m)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if m.Intact() == false {
		t.Error("a deleted file has changed")
	}
	if err := os.WriteFile(path, image, 0o700); err != nil {
		t.Fatal(err)
	}
	m = fileAt(path, path)
	if err := os.WriteFile(path, append(image, strings.Repeat("x", 100)...), 0o700); err != nil {
		t.Fatal(err)
	}
	if m.Intact() {
		t.Error("a file that was written to is the one it was")
	}
}

// fileAt opens an ELF file, nil where that fails.
func fileAt(path, name string) *File {
	f, err := openfile.Regular(path)
	if err != nil {
		return nil
	}
	return readELF(f, name, nil)
}
