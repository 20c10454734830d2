package inspect

import (
	"fmt"
	"testing"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/vm"
)

// told is what findings say of all of r, the first of them that overlaps it; nil if none covers it alone.
func told(found []classify.Finding, r vm.Range) (*classify.Finding, classify.Kind) {
	for i := range found {
		for _, p := range found[i].Parts {
			if !p.Overlaps(r) {
				continue
			}
			if p.Range != r {
				return nil, ""
			}
			if p.Kind != "" {
				return &found[i], p.Kind
			}
			return &found[i], found[i].Kind
		}
	}
	return nil, ""
}

// TestCoroutines: each stack is known from its first byte to its last, with its guard, and what else the program has mapped is not one.
func TestCoroutines(t *testing.T) {
	said, _, found := program(t, "memory_coroutines")
	for _, x := range []struct {
		word, detail string
		kind         classify.Kind
		lines        int
	}{
		{"stack", "", classify.CoroutineStack, 10}, {"ended", "by makecontext, ended", classify.CoroutineStack, 2}, {"fresh", "by makecontext", classify.CoroutineStack, 1},
		{"guard", "", classify.StackGuard, 12}, {"slice", "by makecontext", classify.CoroutineStack, 5}, {"large", "a coroutine's stack", classify.GlibcLarge, 1},
	} {
		n := lines(said, x.word+" %x %x", func(scan func(...any)) {
			var r vm.Range
			scan(&r.Start, &r.End)
			f, kind := told(found, r)
			if f == nil || kind != x.kind || x.detail != "" && f.Detail != x.detail || f.Confidence == classify.Guess {
				t.Errorf("%s %v is %q: %+v", x.word, r, kind, f)
			}
		})
		if n != x.lines {
			t.Errorf("%d lines of %q", n, x.word)
		}
	}
	lines(said, "aligned %x %x", func(scan func(...any)) {
		var r vm.Range
		scan(&r.Start, &r.End)
		for _, f := range found {
			for _, p := range f.Parts {
				if p.Overlaps(r) && f.Kind != classify.GlibcLarge {
					t.Errorf("%v is malloc's, said to be %+v", r, f)
				}
			}
		}
	})
	lines(said, "mine %x %x", func(scan func(...any)) {
		var r vm.Range
		scan(&r.Start, &r.End)
		if f, kind := told(found, r); f != nil {
			t.Errorf("%v is the program's own, said to be %s: %+v", r, kind, f)
		}
	})
}

// TestMakers: who left a return address, by the code there and before it, of libraries as Debian has them.
func TestMakers(t *testing.T) {
	for _, x := range []struct {
		name, before, at string
		want             maker
	}{
		{"glibc 2.31", "c30f1f440000", "4889dc488b3c244885ff7408e89fa9ffff4889c7e8", makerContext},
		{"glibc 2.41", "c30f1f440000", "4889dc488b3c244885ff7408e8efcafeff4889c7e8", makerContext},
		{"with a branch target", "c30f1f440000", "f30f1efa4889dc488b3c244885ff7408e8efcafeff4889c7e8", makerContext},
		{"behind its call", "4889dc488b3c244885ff7408e89fa9ffff", "4889c7e8", makerEnded},
		{"behind another call", "4889dc488b3c244885ff740831c0e89fa9ffff", "4889c7e8", makerNone},
		{"another context", "488b3c244885ff7408e89fa9ffff", "4889c7e8", makerNone},
		{"Boost 1.74 to 1.88", "48894830c355ffe3", "4831ffe849fefffff4", makerBoost},
		{"PHP 8.4", "48894830c355ffe3", "f30f1efa4831ffe86df7e2fff4", makerBoost},
		{"no jump before it", "48894830c35590c3", "4831ffe849feffffc3", makerNone},
		{"goes on", "48894830c355ffe3", "4831ffe849feffffc3", makerNone},
		{"libaco", "d93f0fae5f04c3", "4883e4f0e86cf5ffffe877f1ffffc3", makerOther},
	} {
		var before [makerBefore]byte
		var at [makerBehind]byte
		var b []byte
		if _, err := fmt.Sscanf(x.before, "%x", &b); err != nil {
			t.Fatal(err)
		}
		copy(before[makerBefore-len(b):], b)
		if _, err := fmt.Sscanf(x.at, "%x", &b); err != nil {
			t.Fatal(err)
		}
		copy(at[:], b)
		if got := makerOfCode(before[:], at[:]); got != x.want {
			t.Errorf("%s: %d, want %d", x.name, got, x.want)
		}
	}
}

// TestPHPFibers: as many stacks as the program has fibers, each as long as it has asked for.
func TestPHPFibers(t *testing.T) {
	testenv.Need(t, "php")
	const fibers, size = 20, 256 << 10
	_, _, found := command(t, "php", "-n", "-d", "fiber.stack_size=256K", "-r", `
		$kept = []; for ($i = 0; $i < 20; $i++) { $f = new Fiber(function ($x) { $y = [$x]; Fiber::suspend($y); }); $f->start($i); $kept[] = $f; }
		echo "ready\n"; fgets(STDIN);`)
	n := 0
	for _, f := range found {
		if f.Kind != classify.CoroutineStack {
			continue
		}
		n++
		if len(f.Parts) != 2 || f.Parts[0].Len() != vm.PageSize || f.Parts[0].Kind != classify.StackGuard || f.Parts[1].Len() != size || f.Confidence != classify.Certain || f.Detail != "of PHP's fibers" {
			t.Errorf("%+v", f)
		}
	}
	if n != fibers {
		t.Errorf("%d stacks of %d fibers", n, fibers)
	}
}
