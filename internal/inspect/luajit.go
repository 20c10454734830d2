package inspect

import (
	"strings"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

const (
	luaBins     = 8       // bins of lj_alloc's state at least that must be circles of themselves
	luaState    = 128     // words of it that are looked at
	luaPages    = 1 << 14 // pages that are searched for it
	luaSegments = 1 << 12
	luaFoot     = 32 // DIRECT_FOOT_PAD of lj_alloc.c
)

// isLuaJIT reports whether m is LuaJIT, by its file name.
func isLuaJIT(m *Image) bool {
	return strings.HasPrefix(m.name(), "luajit") || strings.HasPrefix(m.name(), "libluajit")
}

// findLuaJIT recognises LuaJIT's heap by the state of its allocator (struct malloc_state of lj_alloc.c), which stands at the
// beginning of a page of it: empty bins point to themselves, and behind them is the list of
// segments. Blocks with a mapping of their own and areas of machine code begin with their sizes.
func findLuaJIT(l *look) {
	if l.image2(isLuaJIT) == nil {
		return
	}
	pages := 0
	for i := len(l.Rows) - 1; i >= 0; i-- { // the first segment is one of the first mappings, which are the highest
		e := &l.Rows[i]
		if !anonymous(e) || e.File.Path != "" {
			continue
		}
		if e.Perms == vm.Read|vm.Exec {
			l.luaCode(e)
			continue
		}
		for at := range l.multiples(e, vm.PageSize) {
			if pages++; pages > luaPages {
				break
			}
			l.luaSegments(at)
		}
	}
	for i := range l.Rows {
		if e := &l.Rows[i]; private(e) && e.File.Path == "" {
			for _, r := range l.claims.free(e.Range) {
				l.luaLarge(r)
			}
		}
	}
}

// luaSegments adds the segments of the state that begins with the page at addr, if one does.
func (l *look) luaSegments(addr uint64) {
	w := l.upTo(addr, luaState)
	bins, last := 0, 0
	for i := 2; i < len(w); i++ {
		if w[i] == w[i-1] && w[i] == addr+uint64(i-3)*8 { // as a chunk, whose links stand two words in
			bins, last = bins+1, i
		}
	}
	if bins < luaBins {
		return
	}
	for i := last + 1; i+3 <= len(w); i++ {
		var list []vm.Range
		own := false
		for at := addr + uint64(i)*8; at != 0 && len(list) < luaSegments; {
			s := l.words(at, 3) // base, size, next
			if s == nil || s[0] == 0 || !aligned(s[0]) || s[1] == 0 || !aligned(s[1]) || !l.covered(vm.RangeOf(s[0], s[1]), private) {
				list = nil
				break
			}
			list = append(list, vm.RangeOf(s[0], s[1]))
			own = own || list[len(list)-1].Contains(addr)
			at = s[2]
		}
		if !own {
			continue // the state lies in a segment of its own list
		}
		for _, r := range list {
			l.add(classify.Finding{Kind: classify.LuaJIT, Detail: "segment", Confidence: classify.Certain,
				Evidence: "the list of segments of lj_alloc's state, which lies in one of them", Parts: l.partsOf(r)})
		}
		return
	}
}

// luaCode adds a row that is an area of machine code (struct MCLink of lj_mcode.c): it begins with the next area and its own
// size.
func (l *look) luaCode(e *vm.SmapsEntry) {
	if w := l.words(e.Start, 2); w != nil && w[1] == e.Len() && (w[0] == 0 || aligned(w[0]) && l.row(w[0]) != nil) {
		l.add(classify.Finding{Kind: classify.LuaJIT, Detail: "machine code", Confidence: classify.Certain,
			Evidence: "executable memory of no file that begins with its own size", Parts: []classify.Part{{Range: e.Range}}})
	}
}

// luaLarge adds the blocks with their own mappings that follow each other from the start of r. Each has a header with
// its size and the mark of such a block, and a footer.
func (l *look) luaLarge(r vm.Range) {
	for r.Start < r.End {
		w := l.words(r.Start, 2)
		if w == nil || w[0] != 1 || w[1]&3 != 2 {
			return
		}
		size := w[1] &^ 7
		whole := vm.RangeOf(r.Start, size+luaFoot)
		foot, ok := l.word(r.Start + size + 8)
		if !aligned(size+luaFoot) || !r.Covers(whole) || whole.Empty() || !ok || foot&7 != 3 {
			return
		}
		l.add(classify.Finding{Kind: classify.LuaJIT, Detail: "large block", Confidence: classify.Certain,
			Evidence: "the header of a block with a mapping of its own, and the mark behind it", Parts: []classify.Part{{Range: whole}}})
		r.Start = whole.End
	}
}
