package inspect

import (
	"strings"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

const (
	smChunk   = 1 << 20    // ChunkSize of SpiderMonkey's js/public/HeapAPI.h
	smRuntime = 64 << 10   // bytes at most of a JSRuntime before its store buffer
	smCode    = 2044 << 20 // MaxCodeBytesPerProcess of js/src/jit/ProcessExecutableMemory.h
	smLeast   = 2          // chunks of one runtime
)

// isSpiderMonkey reports whether m contains SpiderMonkey, by its file name or an exported function.
func isSpiderMonkey(m *Image) bool {
	return m.name() == "libxul.so" || strings.HasPrefix(m.name(), "libmozjs") || m.exported("JS_NewContext") != 0
}

// findSpiderMonkey recognises the chunks of SpiderMonkey's heap by their headers (ChunkBase of js/public/HeapAPI.h): the store
// buffer of a chunk for new objects, none of others, and the runtime that they belong to, in which the store buffer lies. Code has
// a reservation whose beginning one of the library's variables has.
func findSpiderMonkey(l *look) {
	m := l.image2(isSpiderMonkey)
	if m == nil {
		return
	}
	type runtime struct {
		chunks  []vm.Range
		nursery bool
	}
	runtimes := map[uint64]*runtime{}
	var order []uint64
	for i := range l.Rows {
		e := &l.Rows[i]
		if !private(e) || e.File.Path != "" {
			continue
		}
		for at := range l.multiples(e, smChunk) {
			w := l.words(at, 2)
			if w == nil || w[1] == 0 || w[1]%8 != 0 || w[0] != 0 && (w[0] <= w[1] || w[0] > w[1]+smRuntime) {
				continue
			}
			r := vm.RangeOf(at, smChunk)
			if of := l.row(w[1]); of == nil || !private(of) || r.Contains(w[1]) || !l.covered(r, anonymous) {
				continue
			}
			of := runtimes[w[1]]
			if of == nil {
				of = &runtime{}
				runtimes[w[1]] = of
				order = append(order, w[1])
			}
			of.chunks = append(of.chunks, r)
			of.nursery = of.nursery || w[0] != 0
		}
	}
	for _, rt := range order {
		of := runtimes[rt]
		if !of.nursery || len(of.chunks) < smLeast {
			continue
		}
		for _, r := range of.chunks {
			l.add(classify.Finding{Kind: classify.SpiderMonkey, Confidence: classify.Certain,
				Evidence: "headers of chunks that name one runtime, and its store buffer in it", Parts: l.partsOf(r)})
		}
	}
	l.smCode(m)
}

// smCode adds the reservation for code: as long as SpiderMonkey makes it, which is a length of its own, and starting
// where a variable says. All of it is code, inaccessible, or writable as what becomes code is.
func (l *look) smCode(m *Image) {
	for _, at := range l.variables(m) {
		e := l.row(at)
		if e == nil || e.Start != at || e.File.Path != "" || !anonymous(e) {
			continue
		}
		r := vm.RangeOf(at, smCode)
		if last := l.row(r.End - 1); last == nil || last.End != r.End || !l.covered(r, func(e *vm.SmapsEntry) bool {
			return anonymous(e) && (inaccessible(e) || e.Perms&vm.Exec != 0 || private(e))
		}) {
			continue
		}
		if l.add(classify.Finding{Kind: classify.SpiderMonkeyCode, Confidence: classify.Certain,
			Evidence: "a reservation as long as SpiderMonkey's for code, whose beginning a variable of its has", Parts: l.partsOf(r)}) {
			return
		}
	}
}
