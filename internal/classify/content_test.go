package classify

import (
	"testing"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// TestContent: one row of the kernel's holds a guard, a stack and somebody's memory; what memory told divides it, and
// holds only for what no call has touched since.
func TestContent(t *testing.T) {
	row := func(start, end uint64, o ledger.Origin) ledger.Entry {
		return ledger.Entry{Mapping: vm.Mapping{Range: vm.Range{Start: start, End: end}, Perms: vm.Read | vm.Write}, Origin: o}
	}
	before := ledger.Origin{Cause: ledger.BeforeAttach}
	content := []Finding{
		{Kind: ThreadStack, Detail: "of thread 7 worker", TID: 7, Confidence: Certain, Evidence: "its control block",
			Parts: []Part{{vm.Range{Start: 0x10000, End: 0x11000}, StackGuard}, {Range: vm.Range{Start: 0x11000, End: 0x20000}}}},
		{Kind: GlibcLarge, Confidence: Likely, Evidence: "its header", Parts: []Part{{Range: vm.Range{Start: 0x40000, End: 0x50000}}},
			Books: &Books{System: 5}},
	}
	entries := CutAtParts([]ledger.Entry{row(0x10000, 0x30000, before), row(0x40000, 0x48000, ledger.Origin{Event: 3}), row(0x48000, 0x50000, before)}, content)
	got := Known().Classify(&Space{Entries: entries, Content: content})
	want := []struct {
		start uint64
		kind  Kind
		tid   int
	}{{0x10000, StackGuard, 7}, {0x11000, ThreadStack, 7}, {0x20000, Unknown, 0}, {0x40000, Unknown, 0}, {0x48000, GlibcLarge, 0}}
	if len(got) != len(want) {
		t.Fatalf("%d entries, want %d", len(got), len(want))
	}
	for i, w := range want {
		if entries[i].Start != w.start || w.kind != Unknown && got[i].Kind != w.kind || got[i].TID != w.tid {
			t.Errorf("%v is %v of %d, want %v of %d from %x on", entries[i].Range, got[i].Kind, got[i].TID, w.kind, w.tid, w.start)
		}
		if told := got[i].Kind == GlibcLarge || got[i].TID != 0; !told && got[i].Confidence == Certain {
			t.Errorf("%v is certainly %v", entries[i].Range, got[i].Kind)
		}
	}
	if got[0].Group != got[1].Group || got[1].Group == got[2].Group || got[4].Books != content[1].Books {
		t.Errorf("groups or books are wrong: %+v", got)
	}
}
