package inspect

import (
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
	lines(said, "mine %x %x", func(scan func(...any)) {
		var r vm.Range
		scan(&r.Start, &r.End)
		if f, kind := told(found, r); f != nil {
			t.Errorf("%v is the program's own, said to be %s: %+v", r, kind, f)
		}
	})
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
