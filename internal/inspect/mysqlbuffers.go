package inspect

import (
	"encoding/binary"
	"slices"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

const (
	// mysqlCacheWords is how many words before the pointer to its blocks are searched in a cache's struct (PAGECACHE
	// of storage/maria/ma_pagecache.h, SIMPLE_KEY_CACHE_CB of mysys/mf_keycache.c) for the size and the number of
	// blocks.
	mysqlCacheWords = 24
	// mysqlLeast is the smallest size of a buffer that is searched for: smaller ones come from malloc.
	mysqlLeast = 256 << 10
)

// mysqlBlocks are the sizes of blocks that a key cache (512 bytes to 16 KiB) or a page cache (8 KiB) may have.
var mysqlBlocks = [...]uint64{512, 1 << 10, 2 << 10, 4 << 10, 8 << 10, 16 << 10}

// findMySQLBuffers recognises what MariaDB's server allocates by my_large_malloc from its variables: the page caches
// of Aria, the default key cache of MyISAM, and the two buffers of InnoDB's log.
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
	// KEY_CACHE (include/keycache.h): the type, then a pointer to the rest.
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

// mysqlCache adds the blocks at p if the pointer to them at addr is a field of a cache's struct: the words before it
// must have the number of blocks, the size of one, and the product of both. It reports whether that is so.
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

// mysqlLog adds the two buffers of InnoDB's log (log_t::buf and flush_buf of storage/innobase/include/log0log.h). The
// first is p, to which the word at addr points; their size is one of the words before that.
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
