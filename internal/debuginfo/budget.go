package debuginfo

// budgetPerBatch bounds the work of one call of Find, in entries read, in addition to reading all of a large file
// once; what a hostile file demands beyond that stays unnamed.
const budgetPerBatch = 100 << 20

// budget is the work that may still be done.
type budget struct{ left int }

// spend reports whether n of the budget were left.
func (b *budget) spend(n int) bool {
	b.left -= n
	return b.left >= 0
}

// budgetForBatch is the work allowed in one call of Find: each entry of .debug_info and instruction of .debug_line
// has at least a byte, and addresses in all units need both read.
func (f *file) budgetForBatch() int {
	var n int64
	for _, name := range []string{"info", "line"} {
		if s := f.section(name); s != nil {
			n += s.Size()
		}
	}
	return budgetFor(n, f.size)
}

// budgetFor is the work allowed for so many bytes of sections in a file of that size: what a small file claims to
// inflate to does not count.
func budgetFor(sections, file int64) int {
	const inflated = 16 // real sections become 10 times as large
	return budgetPerBatch + int(min(sections, inflated*file))
}
