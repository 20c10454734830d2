package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/text"
)

// An advice is what one kind of memory costs, and how that is changed.
type advice struct {
	kind  classify.Kind
	bytes int64 // of address space, or of memory where the text says so, that would be spared
	text  string
}

// worthwhile is how many bytes an advice must spare at least.
const worthwhile = 4 << 20

// advice lists what would help p, what spares most first.
func (s *Scene) advice(p *process, l text.Style) []advice {
	by := map[classify.Kind]*classify.Usage{}
	for _, t := range p.things() {
		u := by[t.kind]
		if u == nil {
			u = &classify.Usage{Row: s.known.Row(t.kind), Known: p.taken >= 0, Size: l.Size}
			by[t.kind] = u
		}
		u.Things = append(u.Things, t.reserved)
		u.Reserved += t.reserved
		u.Committed += t.committed
		u.Resident += t.rss
		u.Swapped += t.swap
		u.Fullest = max(u.Fullest, t.rss)
	}
	var list []advice
	for _, k := range s.known.Kinds() {
		u := by[k]
		if u == nil || u.Row.Settings.Known(s.environment, p.Argv) {
			continue
		}
		if n, text := u.Row.Advise(u); text != "" && n >= worthwhile {
			list = append(list, advice{k, n, text})
		}
	}
	if a, ok := s.adviseVMAs(p); ok {
		list = append(list, a)
	}
	slices.SortStableFunc(list, func(a, b advice) int { return cmp.Compare(b.bytes, a.bytes) })
	return list
}

// adviseVMAs warns before the kernel refuses more mappings.
func (s *Scene) adviseVMAs(p *process) (advice, bool) {
	n := int64(len(kernelRows(p.pieces)))
	limit := s.maxMaps()
	if limit == 0 || n < limit*8/10 {
		return advice{}, false
	}
	return advice{text: fmt.Sprintf("%d of %d mappings are in use, then mmap fails: sysctl vm.max_map_count=%d allows more; report --vmas tells who has them", n, limit, 4*limit)}, true
}

func appendAdvice(b []byte, list []advice, l text.Style) []byte {
	width := l.Width
	if l.Whole {
		width = 0
	}
	for _, a := range list {
		b = append(b, text.Fold("hint: "+text.Printable(a.text), width, "      ")...)
		b = append(b, '\n')
	}
	return b
}
