package unwind

import (
	"math/bits"
	"math/rand/v2"
	"unsafe"
)

// Interner numbers distinct stacks 1, 2, 3 … in order of appearance. It keeps a 128-bit hash of each under
// a random key, not its frames: two different stacks are taken for one with a chance of 2^-80 even among
// 2^24. Not safe for concurrent use.
type Interner struct {
	seed    [4]uint64
	ids     map[[2]uint64]int32
	modules map[*Module]struct{} // kept alive, so that a pointer in a hash always means the same module
}

// NewInterner returns an Interner that has seen nothing.
func NewInterner() *Interner {
	in := &Interner{ids: make(map[[2]uint64]int32), modules: make(map[*Module]struct{})}
	for i := range in.seed {
		in.seed[i] = rand.Uint64() | 1
	}
	return in
}

// Intern returns the number of st, and whether it is new. Stacks are equal if all of their frames are (all
// fields) and their End is.
func (in *Interner) Intern(st *Stack) (id int, fresh bool) {
	a, b := in.seed[0]^uint64(st.End), in.seed[1]^uint64(len(st.Frames))
	for i := range st.Frames {
		f := &st.Frames[i]
		x := uint64(uintptr(unsafe.Pointer(f.Module)))
		y := f.PC ^ bits.RotateLeft64(f.Offset, 32)
		z := f.Offset ^ uint64(f.How)<<56 ^ uint64(f.Omitted)<<36
		if f.Call {
			z ^= 1 << 55
		}
		a = mix(a^y, in.seed[2]^x)
		b = mix(b^z, in.seed[3]^y)
		a ^= bits.RotateLeft64(z, 17)
		b ^= x
	}
	key := [2]uint64{mix(a, in.seed[1]), mix(b, in.seed[0])}
	if id, ok := in.ids[key]; ok {
		return int(id), false
	}
	for i := range st.Frames {
		in.modules[st.Frames[i].Module] = struct{}{}
	}
	id = len(in.ids) + 1
	in.ids[key] = int32(id)
	return id, true
}

// mix folds the 128-bit product of two words.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}
