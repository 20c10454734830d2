package classify

import (
	"path"

	"github.com/vmblame/vmblame/internal/ledger"
)

// findRest claims whatever is left: files by their names, anonymous memory by who mapped it.
func findRest(v *view) {
	for i, e := range v.free {
		ev := v.events[i]
		by := v.chain(ev).by()
		who := by.name
		if who == "" {
			who = by.module
		}
		switch {
		case e.File.Inode != 0:
			v.claim(i, Verdict{Kind: FileData, Detail: path.Base(e.File.Path), Evidence: "file"})
		case ev == nil || who == "":
			d := Verdict{Kind: Unknown, Confidence: Guess, Evidence: "no call is known that made it"}
			if ev != nil {
				d.Evidence = ev.Call + " without a stack"
			} else if e.Origin.Cause != ledger.FromEvent {
				d.Evidence = "origin: " + e.Origin.Cause.String()
			}
			v.claim(i, d)
		case !accessible(e):
			v.claim(i, Verdict{Kind: Reserved, Detail: "by " + who, Confidence: Likely, Evidence: ev.Call + " by " + who})
		default:
			v.claim(i, Verdict{Kind: Direct, Detail: "by " + who, Confidence: Likely, Evidence: ev.Call + " by " + who})
		}
	}
}
