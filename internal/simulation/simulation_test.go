package simulation

import (
	"flag"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
)

var (
	seed   = flag.Uint64("seed", 0, "play the one run of this `number`")
	first  = flag.Uint64("first", 1, "begin with the run of this `number`")
	events = flag.Uint64("events", 200_000, "go on until the logs have `N` events")
)

// run is a recording that is simulated.
type run interface {
	step() bool
	finishRun()
}

// steps bounds a run: one in which nothing moves any more is a deadlock.
const steps = 1_000_000

// play plays one run and returns how many events its log has, and what was wrong.
func (j *judge) play(seed uint64, say func(string, ...any), begin func(*dice, *judge) run) (events uint64, problem string, at int) {
	j.begin(say)
	before := j.events
	r := begin(&dice{seed}, j)
	n := 0
	for ; j.problem == "" && r.step(); n++ {
		if n == steps {
			j.fail("nothing moves any more")
		}
	}
	if j.problem == "" {
		r.finishRun()
	}
	return j.events - before, j.problem, n
}

// simulate plays runs until their logs have enough events.
func simulate(t *testing.T, begin func(*dice, *judge) run) {
	if *seed != 0 {
		if _, problem, at := new(judge).play(*seed, t.Logf, begin); problem != "" {
			t.Fatalf("step %d: %s", at, problem)
		}
		return
	}
	defer debug.SetGCPercent(debug.SetGCPercent(2000)) // little lives, and much is thrown away
	var next, total atomic.Uint64
	next.Store(*first - 1)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			var j judge
			for total.Load() < *events && !t.Failed() {
				seed := next.Add(1)
				n, problem, at := j.play(seed, nil, begin)
				if total.Add(n); problem != "" {
					t.Errorf("step %d: %s\nagain: go test ./internal/simulation -run '^%s$' -seed %d", at, problem, t.Name(), seed)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d runs from number %d on, %d events", next.Load()-*first+1, *first, total.Load())
}

func TestTwoStops(t *testing.T) {
	simulate(t, func(rng *dice, j *judge) run { return newTwoStops(rng, j) })
}

func TestOneStop(t *testing.T) {
	simulate(t, func(rng *dice, j *judge) run { return newOneStop(rng, j) })
}
