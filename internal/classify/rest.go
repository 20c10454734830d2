package classify

import (
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

var restFamily = Family{Kinds: []Row{
	{Direct, mass("anonymous memory"), nil, false, "", ungoverned, noAdvice},
	{Reserved, mass("reserved addresses"), nil, true, "", ungoverned, noAdvice},
	{Unknown, mass("unknown"), nil, false, "", ungoverned, noAdvice},
}}

// findRest claims what is left: anonymous memory, by who mapped it. The pieces of what one call has mapped are one.
func findRest(v *view) {
	type made struct {
		event uint64
		kind  Kind
	}
	groups := map[made]int{}
	for i, e := range v.free {
		ev, how := v.events[i], ""
		if e.Origin.Cause == ledger.StackGrowth {
			ev, how = v.grownFrom(i), "grew below what "
		}
		by := v.chain(ev).by()
		who := by.name
		if who == "" {
			who = by.module
		}
		d := Verdict{Kind: Direct, Detail: "by " + who, Confidence: Likely}
		switch {
		case ev == nil || who == "":
			d = Verdict{Kind: Unknown, Confidence: Guess, Evidence: "nothing tells who made it"}
			if ev != nil {
				d.Evidence = ev.Call + " without a stack"
			} else if e.Origin.Cause != ledger.FromEvent {
				d.Evidence = "origin: " + e.Origin.Cause.String()
			}
		case ev.Flags&vm.MapHugeTLB != 0 && ev.Call == "mmap":
			d.Kind, d.Evidence = HugeTLB, "mmap with MAP_HUGETLB by "+who
		case !accessible(e):
			d.Kind, d.Evidence = Reserved, ev.Call+" by "+who
		default:
			d.Evidence = how + ev.Call + " by " + who
		}
		if e.Origin.Cause == ledger.FromEvent {
			k := made{e.Origin.Event, d.Kind}
			if groups[k] == 0 {
				groups[k] = v.group()
			}
			d.Group = groups[k]
		}
		v.claim(i, d)
	}
}
