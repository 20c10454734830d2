package analysis

import (
	"hash/maphash"
	"iter"
)

// A callTree stores stacks of frames and keeps the outer calls that they share only once. A
// long recording has hundreds of thousands of stacks that differ in a few frames, so a call costs 8 bytes and
// its place in the table of all calls, which is at most three quarters full, some 8 more: a map would cost 30.
type callTree struct {
	nodes []call  // nodes[0] is the root, which stands for no call
	slots []int32 // nodes by the hash of their call, 0 where there is none; a power of two
	seed  maphash.Seed
}

// A call is a frame below another: parent is the node of the caller.
type call struct{ parent, frame int32 }

func newCallTree() *callTree {
	return &callTree{nodes: make([]call, 1), slots: make([]int32, 64), seed: maphash.MakeSeed()}
}

// add keeps a stack, whose frames come innermost first, and returns the node of its innermost frame.
func (t *callTree) add(frames []int32) int32 {
	node := int32(0)
	for i := len(frames) - 1; i >= 0; i-- {
		node = t.node(call{node, frames[i]})
	}
	return node
}

// node returns the node of a call, which it makes if there is none.
func (t *callTree) node(c call) int32 {
	slot := t.slot(c)
	if n := t.slots[slot]; n != 0 {
		return n
	}
	if 4*len(t.nodes) >= 3*len(t.slots) {
		t.slots = make([]int32, 2*len(t.slots))
		for n := 1; n < len(t.nodes); n++ {
			t.slots[t.slot(t.nodes[n])] = int32(n)
		}
		slot = t.slot(c)
	}
	n := int32(len(t.nodes))
	t.nodes = append(t.nodes, c)
	t.slots[slot] = n
	return n
}

// slot returns the index at which the node of a call is, or would be.
func (t *callTree) slot(c call) int {
	mask := len(t.slots) - 1
	i := int(maphash.Comparable(t.seed, c)) & mask
	for n := t.slots[i]; n != 0 && t.nodes[n] != c; n = t.slots[i] {
		i = (i + 1) & mask
	}
	return i
}

// frames yields the frames of the stack that ends in node, innermost first, with their numbers from 0.
func (t *callTree) frames(node int32) iter.Seq2[int, int32] {
	return func(yield func(int, int32) bool) {
		for i := 0; node != 0; i++ {
			c := t.nodes[node]
			if !yield(i, c.frame) {
				return
			}
			node = c.parent
		}
	}
}
