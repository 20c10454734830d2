package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/testenv"
)

// mapOf is the answer of map to a word, and the ranges of it.
func mapOf(t *testing.T, word string) (*analysis.Report, []analysis.Range) {
	t.Helper()
	var r analysis.Report
	if err := json.Unmarshal([]byte(output(t, built.vmblame, "map", "--json", word)), &r); err != nil {
		t.Fatal(err)
	}
	return &r, ranges(r.Processes[0].Holders)
}

// TestMapCore: the core of a process tells of its stacks, arenas and allocations what the process itself did.
func TestMapCore(t *testing.T) {
	testenv.Optional(t, "core")
	dir := t.TempDir()
	t.Chdir(dir) // the program's, too: the core is written there
	cmd := exec.Command("sh", "-c", "ulimit -c unlimited; exec "+filepath.Join(built.progs, "memory_malloc"))
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	untilReady(t, stdout)
	_, alive := mapOf(t, strconv.Itoa(cmd.Process.Pid))
	if err := cmd.Process.Signal(syscall.SIGABRT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	list, _ := filepath.Glob("core*")
	if len(list) != 1 {
		t.Fatalf("cores: %v", list)
	}
	r, dead := mapOf(t, "./"+list[0])
	if p := r.Processes[0]; p.PID != cmd.Process.Pid || p.Name != "memory_malloc" || p.Total.Resident != nil || r.Source != "./"+list[0] {
		t.Errorf("%d %s, %v resident, of %s", p.PID, p.Name, p.Total.Resident, r.Source)
	}
	sameIn(t, alive, dead)
	log := filepath.Join(dir, "core.jsonl")
	output(t, built.vmblame, "map", "-o", log, "./"+list[0])
	output(t, built.vmblame, "check", log)
	output(t, built.vmblame, "report", log)
	// What cannot be read is refused in one line.
	text, err := os.ReadFile(list[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"cut": text[:len(text)/2], "zst": append([]byte("\x28\xb5\x2f\xfd"), text[:100]...)} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		refusedWith(t, "./"+name, map[string]string{"cut": "is cut", "zst": "zstd -d"}[name])
	}
}

func refusedWith(t *testing.T, word, want string) {
	t.Helper()
	out, err := exec.Command(built.vmblame, "map", word).CombinedOutput()
	if err == nil || !strings.Contains(string(out), want) || strings.Count(string(out), "\n") != 1 {
		t.Errorf("map %s: %v, %q", word, err, out)
	}
}

// sameIn fails the test unless a core tells of stacks, arenas and allocations what the process itself did.
func sameIn(t *testing.T, alive, dead []analysis.Range) {
	t.Helper()
	of := map[string]classify.Kind{}
	for _, m := range dead {
		of[fmt.Sprint(m.Start, m.End)] = m.Kind
	}
	held := 0
	for _, m := range alive {
		switch m.Kind {
		case classify.ThreadStack, classify.GlibcArena, classify.GlibcLarge, classify.Heap, classify.MainStack:
			held++
			if k := of[fmt.Sprint(m.Start, m.End)]; k != m.Kind {
				t.Errorf("%v-%v was %s, and is %q in the core", m.Start, m.End, m.Kind, k)
			}
		}
	}
	if held < 15 {
		t.Errorf("only %d ranges to compare", held)
	}
}

// TestMapGcore: a core that gdb wrote, which leaves out files and says of all that it can be read, tells the same.
func TestMapGcore(t *testing.T) {
	testenv.Need(t, "gdb", "attach")
	pid, _ := waits(t, "memory_malloc")
	live, alive := mapOf(t, strconv.Itoa(pid))
	core := filepath.Join(t.TempDir(), "core")
	if out, err := exec.Command("gcore", "-o", core, strconv.Itoa(pid)).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	saved, dead := mapOf(t, fmt.Sprintf("%s.%d", core, pid))
	sameIn(t, alive, dead)
	of := func(list []analysis.Range) (n uint64) {
		for _, m := range list {
			if m.Kind == classify.ELFText {
				n += uint64(m.End - m.Start)
			}
		}
		return n
	}
	if text := of(alive); text == 0 || of(dead) != text {
		t.Errorf("%d bytes of code in the core, the process has %d", of(dead), text)
	}
	// The kernel's own pages for the clock are missing.
	if got, want := saved.Processes[0].Total.Committed, live.Processes[0].Total.Committed; got > want || want-got > 64<<10 {
		t.Errorf("%d bytes can be accessed in the core, %d in the process", got, want)
	}
}

// TestMapSaved: a saved list says of files, stack and heap what the process does, and what it cannot tell.
func TestMapSaved(t *testing.T) {
	pid, _ := waits(t, "memory_single")
	dir := t.TempDir()
	live, _ := mapOf(t, strconv.Itoa(pid))
	for _, name := range []string{"maps", "smaps"} {
		text := output(t, "cat", fmt.Sprintf("/proc/%d/%s", pid, name))
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r, list := mapOf(t, file)
		total, want := r.Processes[0].Total, live.Processes[0].Total
		if total.Reserved != want.Reserved || total.Committed != want.Committed || (total.Resident != nil) != (name == "smaps") {
			t.Errorf("%s: %+v, the process has %+v", name, total, want)
		}
		kinds := map[classify.Kind]bool{}
		for _, m := range list {
			kinds[m.Kind] = true
		}
		if !kinds[classify.ELFText] || !kinds[classify.MainStack] || !kinds[classify.Heap] || kinds[classify.GlibcLarge] {
			t.Errorf("%s: kinds %v", name, kinds)
		}
		cmd := exec.Command(built.vmblame, "map", "-")
		cmd.Stdin = strings.NewReader(text)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "does not tell") {
			t.Errorf("map - of %s: %v\n%s", name, err, out)
		}
	}
	testenv.Need(t, "pmap")
	_, alive := mapOf(t, strconv.Itoa(pid))
	is := map[string]classify.Kind{}
	for _, m := range alive {
		is[fmt.Sprint(m.Start)] = m.Kind
	}
	for _, option := range []string{"-q", "-x", "-X", "-XX"} {
		file := filepath.Join(dir, "pmap"+option)
		if err := os.WriteFile(file, []byte(output(t, "pmap", option, strconv.Itoa(pid))), 0o600); err != nil {
			t.Fatal(err)
		}
		_, list := mapOf(t, file)
		relro := 0
		for _, m := range list {
			want := is[fmt.Sprint(m.Start)]
			if m.Kind == classify.ELFRelro {
				relro++
			}
			if m.Kind == want || want == "" || m.Confidence == classify.Guess {
				continue
			}
			if m.Kind != classify.FileData || m.Path == "" {
				t.Errorf("pmap %s: %v-%v is %s, %s, and was %s", option, m.Start, m.End, m.Kind, m.Confidence, want)
			}
		}
		if relro == 0 {
			t.Errorf("pmap %s: no relocated constants", option)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "text"), []byte("nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	refusedWith(t, filepath.Join(dir, "text"), "neither a core file nor a memory map")
	refusedWith(t, prog(t, "memory_single"), "not a core file")
}
