package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/testenv"
)

// program is a traced program with what its log must show beside what its account says.
type program struct {
	name string
	args []string
	// spaces are the causes of the address spaces, in order of beginning; nil stands for the launch alone.
	spaces []string
	// threads is how many tasks there are in all: 0 stands for one, -1 for any number. So many end too, or
	// exits: of a thread that takes its leader's place by exec both numbers end.
	threads, exits int
	// filter says that the program is recorded as it should be only with the seccomp filter.
	filter bool
	// lacks names what the program may miss on this machine; the positive side is tested on recorded stops.
	lacks string
	may   allow
	// also runs further checks.
	also func(*testing.T, *traced)
}

var memoryPrograms = []program{
	{name: "aio"},
	{name: "anon_name", lacks: "anon-names"},
	{name: "brk"},
	{name: "deleted_file", may: allow{renamed: true}},
	{name: "dev_zero"},
	{name: "fixed_fails"},
	{name: "fixed_noreplace"},
	{name: "fixed_overwrite"},
	{name: "growsdown"},
	{name: "hints"},
	{name: "hugetlb"},
	{name: "i386", may: allow{incomplete: true}},
	{name: "int80"},
	{name: "map_vdso"},
	{name: "memfd"},
	{name: "mprotect_hole"},
	{name: "mremap_dontunmap"},
	{name: "mremap_dup"},
	{name: "mremap_fails"},
	{name: "mremap_inplace"},
	{name: "mremap_moved"},
	{name: "munmap_errors"},
	{name: "protects"},
	{name: "read_implies_exec"},
	{name: "remap_file_pages"},
	{name: "shadow_stack", lacks: "shadow-stacks"},
	{name: "shm"},
	{name: "shm_remap"},
	{name: "stack_growth"},
	{name: "x32", lacks: "x32"},
}

func TestMemoryCalls(t *testing.T) { runPrograms(t, memoryPrograms) }

// runPrograms runs each program untraced, recorded, proven after each event, and without a filter. Where CI is not set it is not
// recorded once more without the proofs, which leave nothing out.
func runPrograms(t *testing.T, list []program) {
	t.Parallel()
	ways := [][]string{{"--verify=each"}, {"--no-seccomp"}, nil}[:testenv.Often(1, 3)]
	for _, p := range list {
		name := p.name
		if len(p.args) > 0 {
			name += " " + strings.Join(p.args, " ")
		}
		t.Run(name, func(t *testing.T) {
			if p.name == "i386" && !testenv.Has("i386") { // some virtual machines execute no 32-bit program
				c := begin(t, []string{built.vmblame, "run", "-q", "-o", filepath.Join(t.TempDir(), "log.jsonl"), prog(t, p.name)})
				c.mustEnd("exit status 126")
				if text := c.text("stderr"); !strings.Contains(text, "not executable") {
					t.Errorf("said: %s", text)
				}
				return
			}
			dir := t.TempDir()
			alone := start(t, dir, filepath.Join(dir, "account"), append([]string{prog(t, p.name)}, p.args...)...)
			for _, flags := range ways {
				if p.filter && slices.Contains(flags, "--no-seccomp") {
					continue
				}
				t.Run(fmt.Sprint(flags), func(t *testing.T) { p.run(t, alone, flags) })
			}
		})
	}
}

func (p *program) run(t *testing.T, alone outcome, flags []string) {
	r := trace(t, flags, p.name, p.args...)
	if r.outcome != alone {
		t.Errorf("traced: %v; untraced: %v", r.outcome, alone)
	}
	for _, what := range r.account.lacks {
		if what != p.lacks {
			testenv.Lacks(t, what)
		}
	}
	p.forgetRefused(r)
	r.hold(t, p.may)
	p.holdLife(t, r)
	if slices.Contains(flags, "--verify=each") && !p.may.uncertain {
		if end := r.log.end; end.Checks < end.Events {
			t.Errorf("%d checks of %d events", end.Checks, end.Events)
		}
	}
	if p.also != nil {
		p.also(t, r)
	}
}

// forgetRefused takes out of the account what the program's own seccomp filter kept from happening.
func (p *program) forgetRefused(r *traced) {
	if p.name != "own_filter" {
		return
	}
	for _, s := range r.account.sections {
		s.did = slices.DeleteFunc(s.did, func(d did) bool { return d.error == "EPERM" })
	}
}

// holdLife compares the address spaces and threads of the log with what the program makes.
func (p *program) holdLife(t *testing.T, r *traced) {
	t.Helper()
	want := p.spaces
	if want == nil {
		want = []string{"launch"}
	}
	var got []string
	for _, s := range r.log.spaces {
		got = append(got, s.Cause)
		if (s.Cause == "launch") != (s.Parent == nil) {
			t.Errorf("space %d, %s: parent %v", s.Space, s.Cause, s.Parent)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("address spaces began by %v, want %v", got, want)
	}
	starts, exits := 0, 0
	for _, th := range r.log.threads {
		switch th.What {
		case "start":
			starts++
		case "exit":
			exits++
		}
	}
	wantStarts := max(1, p.threads)
	if p.threads < 0 {
		wantStarts = starts
	}
	wantExits := max(wantStarts, p.exits)
	if starts != wantStarts || exits != wantExits {
		t.Errorf("%d threads start and %d exit, want %d and %d", starts, exits, wantStarts, wantExits)
	}
}
