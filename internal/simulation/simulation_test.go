package simulation

import (
	"flag"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

var (
	seed   = flag.Uint64("seed", 0, "play the one run of this `number`")
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
func play(seed uint64, say func(string, ...any), begin func(*rand.Rand, *judge) run) (events uint64, problem string, at int) {
	j := newJudge()
	j.say = say
	r := begin(rand.New(rand.NewPCG(seed, 0x5eed)), j)
	n := 0
	for ; j.problem == "" && r.step(); n++ {
		if n == steps {
			j.fail("nothing moves any more")
		}
	}
	if j.problem == "" {
		r.finishRun()
	}
	return j.events, j.problem, n
}

// simulate plays runs until their logs have enough events.
func simulate(t *testing.T, begin func(*rand.Rand, *judge) run) {
	if *seed != 0 {
		if _, problem, at := play(*seed, t.Logf, begin); problem != "" {
			t.Fatalf("step %d: %s", at, problem)
		}
		return
	}
	var next, total atomic.Uint64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for total.Load() < *events && !t.Failed() {
				seed := next.Add(1)
				n, problem, at := play(seed, nil, begin)
				if total.Add(n); problem != "" {
					t.Errorf("step %d: %s\nagain: go test ./internal/simulation -run '^%s$' -seed %d", at, problem, t.Name(), seed)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d runs, %d events", next.Load(), total.Load())
}

func TestTwoStops(t *testing.T) {
	simulate(t, func(rng *rand.Rand, j *judge) run { return newTwoStops(rng, j) })
}

func TestOneStop(t *testing.T) {
	simulate(t, func(rng *rand.Rand, j *judge) run { return newOneStop(rng, j) })
}
