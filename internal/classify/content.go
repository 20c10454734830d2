package classify

import (
	"slices"
	"sort"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// A Finding is one object that was recognised by the contents of memory: a thread's stack, an arena, the image of a
// file. It is valid for pages that existed when memory was read and that no call has touched since.
type Finding struct {
	Kind       Kind
	Detail     string // which one: "of thread 9838 worker"; may be ""
	TID        int    // the thread that it belongs to, 0 for none
	Confidence Confidence
	Evidence   string // the two facts that agree, one clause
	Parts      []Part
	Books      *Books // nil where an allocator keeps none, or they did not agree with themselves
}

// A Part is one range of a finding. Parts never overlap, not even those of different findings.
type Part struct {
	vm.Range
	Kind Kind // "" for that of the finding
}

// Books are an allocator's own figures, in bytes.
type Books struct {
	System uint64 // what it holds from the kernel, opened for use
	Free   uint64 // the part of it that is free, with the top
	Top    uint64 // the part of it at the end, which could be returned to the kernel at once
}

// found reports whether e existed when memory was inspected and has not been changed by a call since.
func found(e *ledger.Entry) bool { return e.Origin.Cause == ledger.BeforeAttach }

// CutAtParts splits entries at the ends of the findings' parts: one row of the kernel's may contain objects of
// several makers.
func CutAtParts(entries []ledger.Entry, content []Finding) []ledger.Entry {
	var cuts []uint64
	for i := range content {
		for _, p := range content[i].Parts {
			cuts = append(cuts, p.Start, p.End)
		}
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	out := make([]ledger.Entry, 0, len(entries)+len(content)) // as many more, mostly
	for _, e := range entries {
		if found(&e) {
			i := sort.Search(len(cuts), func(i int) bool { return cuts[i] > e.Start })
			for ; i < len(cuts) && cuts[i] < e.End; i++ {
				out = append(out, e.Cut(vm.Range{Start: e.Start, End: cuts[i]}))
				e = e.Cut(vm.Range{Start: cuts[i], End: e.End})
			}
		}
		out = append(out, e)
	}
	return out
}

// findContent uses the findings for what was mapped before the recording began.
func findContent(v *view) {
	for k := range v.Content {
		f := &v.Content[k]
		d := Verdict{Kind: f.Kind, Detail: f.Detail, TID: f.TID, Confidence: f.Confidence, Evidence: f.Evidence, Books: f.Books, Group: v.group()}
		for _, p := range f.Parts {
			kind := f.Kind
			if p.Kind != "" {
				kind = p.Kind
			}
			i := v.at(p.Start)
			if i < 0 {
				i = sort.Search(len(v.Entries), func(i int) bool { return v.Entries[i].Start >= p.Start })
			}
			for ; i < len(v.Entries) && v.Entries[i].Start < p.End; i++ {
				e := &v.Entries[i]
				if !found(e) || !p.Covers(e.Range) || v.claimed(i) {
					continue
				}
				d := d
				d.Kind = kind
				if t := v.stackOwner(i); f.Kind == ThreadStack && t != nil {
					// A stack is reused without a system call.
					d.TID, d.Detail = t.TID, "of thread "+threadText(t)
				}
				v.claim(i, d)
			}
		}
	}
}
