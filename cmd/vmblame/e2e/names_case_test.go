package e2e

import (
	"slices"
	"testing"

	"github.com/vmblame/vmblame/internal/testenv"
)

// TestArenaNames: the frames of a glibc arena, which strace calls by the nearest exported names, are called
// what they are where libc's debug symbols are there, and nothing where they are not.
func TestArenaNames(t *testing.T) {
	testenv.Need(t, "libc6-dbg")
	program := prog(t, "case")
	const reserved = 128 << 20 // a new heap of an arena maps twice HEAP_MAX_SIZE to find an aligned half
	n, o := recordNames(t, nil, program)
	if o.status != "exit status 0" {
		t.Fatalf("%s: %s", o.status, o.stderr)
	}
	frames := n.mapped(t, reserved)
	names := called(in(frames, "libc.so.6"))
	if !isSubsequence([]string{"alloc_new_heap", "arena_get2", "start_thread", "clone3"}, names) {
		t.Errorf("with libc6-dbg: %q", names)
	}
	if slices.Contains(names, "?") {
		t.Errorf("with libc6-dbg: a frame of libc has no name: %q", names)
	}

	n, o = recordNames(t, []string{"--debug-dir="}, program)
	if o.status != "exit status 0" {
		t.Fatalf("%s: %s", o.status, o.stderr)
	}
	without := in(n.mapped(t, reserved), "libc.so.6")
	if len(without) != len(names) {
		t.Fatalf("%d frames of libc, %d with libc6-dbg", len(without), len(names))
	}
	internal := []string{"alloc_new_heap", "_int_new_arena", "arena_get2", "start_thread", "clone3", "tcache_init"}
	for i, f := range without {
		switch name := f.function(); {
		case slices.Contains(internal, names[i]) && name != "" && name != names[i]:
			t.Errorf("without libc6-dbg: %s is named %s (%s)", names[i], name, f.symbol.Source)
		case slices.Contains(internal, names[i]) && names[i] != "clone3" && name != "":
			t.Errorf("without libc6-dbg: %s is named, by %s, though it is not exported", names[i], f.symbol.Source)
		case f.addr == 0 || f.module.Path == "":
			t.Errorf("frame %d: no place of its own: %+v", i, f)
		}
	}
}

// isSubsequence reports whether the words of want stand in list in this order.
func isSubsequence(want, list []string) bool {
	for _, w := range list {
		if len(want) > 0 && w == want[0] {
			want = want[1:]
		}
	}
	return len(want) == 0
}
