package classify

import (
	"strconv"
	"strings"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// namedFamily is memory that the program named, where the name belongs to no other family.
var namedFamily = Family{Kinds: []Row{{Named, mass("named by the program"), nil, false, "", ungoverned, noAdvice}}}

// findNamed trusts the names that the kernel keeps for the program: no other evidence is better.
func findNamed(v *view) {
	last, lastName, group := -2, "", 0
	for i, e := range v.free {
		name := v.anonName(i, e)
		if name == "" {
			continue
		}
		if last != i-1 || lastName != name || !v.beside(i) {
			group = v.group()
		}
		last, lastName = i, name
		d := Verdict{Kind: Named, Detail: name, Group: group, Evidence: "named " + strconv.Quote(name) + " by its program"}
		text := strings.TrimLeft(name, " ")
		if k := v.known.labelled(text); k != "" {
			d.Kind = k
		}
		if d.Kind == Named && e.Perms&vm.Shared != 0 {
			d.Kind = SharedAnon
		}
		v.refineName(&d, i, text)
		v.claim(i, d)
	}
}

// anonName is the name that the kernel shows for entry i.
func (v *view) anonName(i int, e *ledger.Entry) string {
	for _, start := range [...]string{"[anon:", "[anon_shmem:"} {
		if name, ok := strings.CutPrefix(e.File.Path, start); ok {
			return strings.TrimSuffix(name, "]")
		}
	}
	if v.AnonName != nil {
		return v.AnonName(i)
	}
	return ""
}

// refineName adds what a name says beyond the kind: the thread of a stack.
func (v *view) refineName(d *Verdict, i int, text string) {
	switch d.Kind {
	case ThreadStack:
		d.Detail = "of an ended thread"
		_, tid, _ := strings.Cut(text, "stack: ")
		if n, err := strconv.Atoi(tid); err == nil {
			d.TID = n
			d.Detail = "of thread " + tid
		}
		if t := v.stackOwner(i); t != nil {
			d.TID = t.TID
			d.Detail = "of thread " + threadText(t)
		}
		if !accessible(&v.Entries[i]) {
			d.Kind = StackGuard
		}
	case GlibcArena:
		if ev := v.root(i); ev != nil {
			v.ownedBy(d, ev)
		}
	}
}
