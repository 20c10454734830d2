package analysis

import (
	"slices"
	"testing"
)

func TestCallTree(t *testing.T) {
	tree := newCallTree()
	stacks := [][]int32{{}, {0}, {1, 0}, {2, 0}, {0, 1}, {1, 1, 1}, {1, 1}, {3, 2, 1, 0}, {2, 1, 0}}
	nodes := make([]int32, len(stacks))
	for i, s := range stacks {
		nodes[i] = tree.add(s)
	}
	// 0, 1 0, 2 1 0, 3 2 1 0, 2 0; 1, 0 1, 1 1, 1 1 1; and the root.
	if n := len(tree.nodes); n != 10 {
		t.Errorf("%d nodes", n)
	}
	for range 2 { // many more than the table begins with, and the same again
		for i := range int32(10_000) {
			tree.add([]int32{7, i + 100, 1_000_000})
		}
	}
	if n := len(tree.nodes); n != 10+1+20_000 {
		t.Errorf("%d nodes", n)
	}
	for i, s := range stacks {
		if again := tree.add(s); again != nodes[i] {
			t.Errorf("%v: node %d, then %d", s, nodes[i], again)
		}
		var got []int32
		for n, f := range tree.frames(nodes[i]) {
			if n != len(got) {
				t.Errorf("%v: frame %d after %d others", s, n, len(got))
			}
			got = append(got, f)
		}
		if !slices.Equal(got, s) {
			t.Errorf("%v: %v", s, got)
		}
	}
}
