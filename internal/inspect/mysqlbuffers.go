package inspect

import (
	"encoding/binary"
	"slices"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

const (
	// mysqlCacheWords is how many words of a cache's struct stand before the place of its blocks (PAGECACHE of
	// storage/maria/ma_pagecache.h, SIMPLE_KEY_CACHE_CB of mysys/mf_keycache.c): the sizes and the number of them.
	mysqlCacheWords = 24
	// mysqlLeast is the least that a buffer has which is looked for: smaller ones are malloc's.
	mysqlLeast = 256 << 10
)

// mysqlBlocks are the sizes of blocks that a key cache (512 bytes to 16 KiB) or a page cache (8 KiB) may have.
var mysqlBlocks = [...]uint64{512, 1 << 10, 2 << 10, 4 << 10, 8 << 10, 16 << 10}

// findMySQLBuffers knows what MariaDB's server takes by my_large_malloc, by its variables: the page caches of Aria, the
// default key cache of MyISAM, and the two buffers of InnoDB's log.
func findMySQLBuffers(l *look) {
	m := l.image2(isMySQL)
	if m == nil {
		return
	}
	for at, p := range l.variablesOf(isMySQL) {
		if aligned(p) && l.row(p) != nil && !l.mysqlCache(at, p, "page cache of Aria") {
			l.mysqlLog(at, p)
		}
	}
	// KEY_CACHE (include/keycache.h): its kind, then the place of the rest.
	if cache, ok := l.word(m.exported("dflt_key_cache")); ok {
		if rest, ok := l.word(cache + 8); ok {
			for i := range uint64(2 * mysqlCacheWords) {
				if p, ok := l.word(rest + 8*i); ok && i >= mysqlCacheWords/2 && aligned(p) && l.mysqlCache(rest+8*i, p, "key cache") {
					break
				}
			}
		}
	}
}

// mysqlCache adds the blocks at p of the cache whose struct names them at addr, and reports whether it is one: before that
// stand how many they are, how long one is, and the product.
func (l *look) mysqlCache(addr, p uint64, detail string) bool {
	e := l.row(p)
	if e == nil || !private(e) || e.File.Path != "" {
		return false
	}
	b := make([]byte, 8*mysqlCacheWords)
	if !l.read(b, addr-uint64(len(b))) {
		return false
	}
	var halves []uint64
	for i := 0; i < len(b); i += 4 {
		halves = append(halves, uint64(binary.LittleEndian.Uint32(b[i:])))
	}
	for i := 0; i < len(b); i += 8 {
		size := binary.LittleEndian.Uint64(b[i:])
		r := vm.RangeOf(p, size)
		if size < mysqlLeast || size > 1<<46 || !slices.ContainsFunc(mysqlBlocks[:], func(block uint64) bool {
			return size%block == 0 && size/block < 1<<32 && slices.Contains(halves, block) && slices.Contains(halves, size/block)
		}) || !l.covered(r, private) {
			continue
		}
		return l.add(classify.Finding{Kind: classify.MySQLBuffer, Detail: detail, Confidence: classify.Certain,
			Evidence: "the server's variables: the number of its blocks, the length of one, and the product of both", Parts: l.partsOf(r)})
	}
	return false
}

// mysqlLog adds the two buffers of InnoDB's log (log_t::buf and flush_buf of storage/innobase/include/log0log.h), of which p,
// named at addr, is the first: their length stands before them.
func (l *look) mysqlLog(addr, p uint64) {
	const near = 8
	before, behind := l.words(addr-8*near, near), l.words(addr+8, near)
	if before == nil || behind == nil {
		return
	}
	for _, size := range before {
		if size < 2<<20 || size > 1<<40 || !aligned(size) {
			continue
		}
		for _, q := range behind {
			a, b := vm.RangeOf(p, size), vm.RangeOf(q, size)
			if !aligned(q) || a.Overlaps(b) || !l.covered(a, private) || !l.covered(b, private) || l.claims.overlaps(a) || l.claims.overlaps(b) {
				continue
			}
			// The first one begins its row, the other follows it or begins its own.
			first, second := a, b
			if b.Start < a.Start {
				first, second = b, a
			}
			if e := l.row(first.Start); e.Start != first.Start || second.Start != first.End && l.row(second.Start).Start != second.Start {
				continue
			}
			for _, r := range [...]vm.Range{first, second} {
				l.add(classify.Finding{Kind: classify.MySQLBuffer, Detail: "buffer of InnoDB's log", Confidence: classify.Likely,
					Evidence: "the server's variables name two mappings, and their length before them", Parts: l.partsOf(r)})
			}
			return
		}
	}
}
