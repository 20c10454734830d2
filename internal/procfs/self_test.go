package procfs

import (
	"errors"
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

// The kernel's sums are those of its rows.
func TestRollup(t *testing.T) {
	pid := os.Getpid()
	sum, err := SmapsRollup(pid)
	if errors.Is(err, os.ErrNotExist) {
		t.Log("the kernel has no smaps_rollup") // before 4.14
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	rows, err := Smaps(pid)
	if err != nil {
		t.Fatal(err)
	}
	var rss uint64
	for i := range rows {
		rss += rows[i].Rss
	}
	// This process runs on between the two.
	if sum.Rss < rss/2 || sum.Rss > 2*rss || sum.Pss > sum.Rss || sum.Pss == 0 || sum.Shared > sum.Rss {
		t.Errorf("%+v, the rows have %d bytes", sum, rss)
	}
	size, resident := Statm(pid)
	if size < resident || resident < rss/2 || resident > 2*rss {
		t.Errorf("%d bytes, %d in memory, the rows have %d", size, resident, rss)
	}
	if _, err := SmapsRollup(1 << 30); err == nil {
		t.Error("nobody has sums")
	}
}

// What a group of processes may use and uses, as the kernel tells it of this process's and of those around it.
func TestMemoryGroup(t *testing.T) {
	for _, c := range []struct {
		version groupVersion
		files   map[string]string
		want    CgroupMemory
	}{
		{version2, map[string]string{"memory.max": "536870912\n", "memory.high": "max\n", "memory.current": "1048576\n", "memory.swap.current": "0\n", "memory.events": "low 0\nhigh 3\nmax 7\noom 2\noom_kill 1\n"},
			CgroupMemory{Max: 512 << 20, High: -1, Current: 1 << 20, MaxEvents: 7, HighEvents: 3, OOMKills: 1}},
		{version1, map[string]string{"memory.limit_in_bytes": "9223372036854771712\n", "memory.usage_in_bytes": "4096\n", "memory.stat": "cache 1\nswap 8192\n", "memory.failcnt": "0\n", "memory.oom_control": "oom_kill_disable 0\noom_kill 5\n"},
			CgroupMemory{Max: -1, High: -1, Current: 4096, Swap: 8192, HighEvents: -1, OOMKills: 5}},
		{version2, nil, CgroupMemory{-1, -1, -1, -1, -1, -1, -1}},
	} {
		dir := t.TempDir()
		for name, text := range c.files {
			if err := os.WriteFile(dir+"/"+name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got := c.version.bound(dir)
		if c.version.rest(dir, &got); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.files, got, c.want)
		}
		if c.files == nil {
			continue
		}
		// A group that has no bound shows the nearest around it that has one.
		if err := os.Mkdir(dir+"/own", 0o700); err != nil {
			t.Fatal(err)
		}
		own := "memory.current"
		if c.want.Swap != 0 {
			own = "memory.usage_in_bytes"
		}
		if err := os.WriteFile(dir+"/own/"+own, []byte("2048\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		g := &MemoryGroup{dir, "/own", c.version}
		if got, ok := g.Read(); !ok || (c.want.Max >= 0) != (got.Max == c.want.Max && got.Current == c.want.Current && got.Max >= 0) {
			t.Errorf("%v: around it: %+v", c.files, got)
		}
	}
	if g := MemoryGroupOf(os.Getpid()); g != nil {
		if !g.Same(MemoryGroupOf(os.Getpid())) {
			t.Error("a group is not the same as itself")
		}
		if m, ok := g.Read(); ok && m.Current == 0 {
			t.Errorf("a group that uses nothing: %+v", m)
		}
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
