package analysis

import (
	"cmp"
	"path"
	"slices"
)

// match pairs the processes of two moments: first those with the same pid and program, then those with the same
// program, then those with the same pid, then the rest, each time in order. A process without a partner is paired
// with nil. match(b, a) gives the same pairs.
func match(before, after []*process) (pairs [][2]*process) {
	rest := [2][]*process{slices.Clone(before), slices.Clone(after)}
	type key struct {
		pid int
		exe string
	}
	for _, of := range []func(*process) key{
		func(p *process) key { return key{p.PID, path.Base(p.Exe)} },
		func(p *process) key { return key{0, path.Base(p.Exe)} },
		func(p *process) key { return key{p.PID, ""} },
		func(*process) key { return key{} },
	} {
		waiting := map[key][]*process{}
		for _, q := range rest[1] {
			waiting[of(q)] = append(waiting[of(q)], q)
		}
		taken := map[*process]bool{}
		rest[0] = slices.DeleteFunc(rest[0], func(p *process) bool {
			k := of(p)
			if len(waiting[k]) == 0 {
				return false
			}
			pairs = append(pairs, [2]*process{p, waiting[k][0]})
			taken[waiting[k][0]] = true
			waiting[k] = waiting[k][1:]
			return true
		})
		rest[1] = slices.DeleteFunc(rest[1], func(q *process) bool { return taken[q] })
	}
	for _, p := range rest[0] {
		pairs = append(pairs, [2]*process{p, nil})
	}
	for _, q := range rest[1] {
		pairs = append(pairs, [2]*process{nil, q})
	}
	// The launched one first, then the largest.
	type rank struct{ first, size, low, high int64 }
	of := func(m [2]*process) (r rank) {
		for i, p := range m {
			if p == nil {
				continue
			}
			if p.first {
				r.first = 1
			}
			r.size = max(r.size, int64(p.Ledger.Bytes()))
			if pid := int64(p.PID); i == 0 || m[0] == nil {
				r.low, r.high = pid, pid
			} else {
				r.low, r.high = min(r.low, pid), max(r.high, pid)
			}
		}
		return r
	}
	slices.SortStableFunc(pairs, func(a, b [2]*process) int {
		x, y := of(a), of(b)
		return cmp.Or(cmp.Compare(y.first, x.first), cmp.Compare(y.size, x.size), cmp.Compare(x.low, y.low), cmp.Compare(x.high, y.high))
	})
	return pairs
}
