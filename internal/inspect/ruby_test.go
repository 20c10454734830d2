package inspect

import (
	"testing"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/vm"
)

// TestRuby holds the pages of CRuby's heap against GC.stat, and the stacks of fibers against where a fiber's locals are: a
// fiber reads its own stack pointer, as the kernel tells it.
func TestRuby(t *testing.T) {
	testenv.Need(t, "ruby")
	said, l, found := command(t, "ruby", "-e", `
		$stdout.sync = true
		kept = (1..200000).map { |i| "x" * (i % 100) }
		fibers = (1..40).map { Fiber.new { Fiber.yield File.read("/proc/thread-self/syscall").split[-2] } }
		at = fibers.map(&:resume)
		GC.start
		puts "pages %x" % (GC.stat(:heap_allocated_pages) * GC::INTERNAL_CONSTANTS[:HEAP_PAGE_SIZE])
		at.each { |sp| puts "fiber #{sp.delete_prefix("0x")}" }
		puts "ready"
		$stdin.read
		exit!(kept.size == 200000 ? 0 : 1)`)
	var pages uint64
	var pool rangeSet
	for _, f := range found {
		for _, p := range f.Parts {
			switch {
			case f.Kind == classify.Ruby && f.Detail == "heap page":
				pages += p.Len()
			case f.Kind == classify.CoroutinePool && p.Kind == "":
				pool.add(p.Range)
			case f.Kind == classify.CoroutinePool:
				if e := l.row(p.Start); e.Perms&(vm.Read|vm.Write) != 0 {
					t.Errorf("%v is no guard", p.Range)
				}
			}
		}
	}
	lines(said, "pages %x", func(scan func(...any)) {
		var want uint64
		scan(&want)
		if pages != want || pages < 8<<20 {
			t.Errorf("%d bytes of pages, GC.stat says %d", pages, want)
		}
	})
	n := lines(said, "fiber %x", func(scan func(...any)) {
		var sp uint64
		scan(&sp)
		if !pool.overlaps(vm.RangeOf(sp, 1)) {
			t.Errorf("a fiber ran at %x, stacks are %v", sp, pool.ranges())
		}
	})
	if n != 40 {
		t.Errorf("%d fibers", n)
	}
}
