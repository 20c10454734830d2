package procfs

import (
	"os"
	"reflect"
	"strconv"
	"syscall"
	"testing"

	"github.com/vmblame/vmblame/internal/vm"
)

// What the files say of this process is what the system calls say of it.
func TestSelf(t *testing.T) {
	pid := os.Getpid()
	if got := Cmdline(pid); !reflect.DeepEqual(got, os.Args) {
		t.Errorf("cmdline %q, want %q", got, os.Args)
	}
	if exe, err := os.Executable(); err != nil || Exe(pid) != exe {
		t.Errorf("exe %q, want %q (%v)", Exe(pid), exe, err)
	}
	if got := EffectiveUser(pid); got != os.Geteuid() {
		t.Errorf("user %d, want %d", got, os.Geteuid())
	}
	persona, _, e := syscall.Syscall(syscall.SYS_PERSONALITY, 0xffffffff, 0, 0)
	if got := Personality(pid); e != 0 || got != uint64(persona) {
		t.Errorf("personality %#x, want %#x (%v)", got, persona, e)
	}
	var stack syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_STACK, &stack); err != nil {
		t.Fatal(err)
	}
	want := "unlimited"
	if stack.Cur != 1<<64-1 {
		want = strconv.FormatUint(stack.Cur, 10)
	}
	if got := SoftLimits(pid)["Max stack size"]; got != want {
		t.Errorf("stack limit %q, want %q", got, want)
	}
}

// A task that there is not gives nothing, and no error that anybody would have to look at.
func TestNobody(t *testing.T) {
	const nobody = 1 << 30 // above PID_MAX_LIMIT
	if _, err := OpenMaps(nobody); err == nil {
		t.Error("the maps of nobody can be opened")
	}
	if got := Cmdline(nobody); got == nil || len(got) > 0 {
		t.Errorf("arguments %q", got)
	}
	if StartBreak(nobody) != 0 || Personality(nobody) != 0 || Exe(nobody) != "" || EffectiveUser(nobody) != -1 || Cgroup(nobody) != "" {
		t.Error("nobody has something")
	}
}

// Pages that were written to are present, others are not; smaps counts the same.
func TestPagemapAndSmaps(t *testing.T) {
	const size = 8 * vm.PageSize
	mem, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Munmap(mem) }()
	if err := syscall.Madvise(mem, 15); err != nil { // MADV_NOHUGEPAGE: also a row of its own
		t.Log(err)
	}
	for _, page := range []int{1, 2, 5} {
		mem[page*vm.PageSize] = 1
	}
	at := vm.Range{Start: uint64(reflect.ValueOf(mem).Pointer())}
	at.End = at.Start + size
	p := Pagemap{TID: os.Getpid()}
	defer p.Close()
	if got := p.Present(at); got != 3 {
		t.Errorf("%d pages are present, want 3", got)
	}
	rows, err := Smaps(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if row.Range == at && row.Rss != 3*vm.PageSize {
			t.Errorf("%d bytes are resident", row.Rss)
		}
	}
}
