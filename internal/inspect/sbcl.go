package inspect

import (
	"strings"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

// findSBCL recognises the spaces of SBCL's heap by its own variables (src/runtime/globals.h), which it exports: the dynamic one
// to its length, and those of fixed size, each from its beginning up to where nothing is mapped. A space begins where
// a row does, all of which can be executed.
func findSBCL(l *look) {
	m := l.image2(func(m *Image) bool {
		return strings.HasPrefix(m.name(), "sbcl") && m.exported("DYNAMIC_SPACE_START") != 0
	})
	if m == nil {
		return
	}
	space := func(name string) uint64 {
		v, _ := l.word(m.exported(name))
		return v
	}
	start, size := space("DYNAMIC_SPACE_START"), space("dynamic_space_size")
	if r := vm.RangeOf(start, size); start != 0 && aligned(start) && aligned(size) && l.beginsRow(start) {
		if last := l.row(r.End - 1); last != nil && last.End == r.End {
			l.sbclSpace("dynamic space", r)
		}
	}
	for _, s := range [...]struct{ symbol, detail string }{{"FIXEDOBJ_SPACE_START", "immobile space"}, {"TEXT_SPACE_START", "immobile space"}, {"VARYOBJ_SPACE_START", "immobile space"}} {
		at := space(s.symbol)
		if at == 0 || !l.beginsRow(at) {
			continue
		}
		r := vm.Range{Start: at, End: at}
		for e := l.row(at); e != nil && sbclRow(e) && r.Len() < 1<<32; e = l.row(r.End) {
			r.End = e.End
		}
		l.sbclSpace(s.detail, r)
	}
}

// sbclRow reports whether e can be part of a space of SBCL: private, and of a file or executable.
func sbclRow(e *vm.SmapsEntry) bool {
	return e.Perms&vm.Shared == 0 && (e.File.Backed() || e.Perms&vm.Exec != 0)
}

// sbclSpace adds the anonymous part of a space.
func (l *look) sbclSpace(detail string, r vm.Range) {
	f := classify.Finding{Kind: classify.SBCL, Detail: detail, Confidence: classify.Certain, Evidence: "SBCL's own variables, and the rows"}
	for e, x := range l.within(r) {
		if !sbclRow(e) {
			return
		}
		if anonymous(e) {
			f.Parts = append(f.Parts, classify.Part{Range: x})
		}
	}
	l.add(f)
}
