package classify

import (
	"testing"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// TestContent: one row of /proc/PID/maps holds a stack guard, a stack and other memory. Findings from inspecting
// memory split it, and apply only to pages that no call has changed since.
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

// TestContentDenies: what memory was asked about and did not tell is a guess at most: a stack that may be more than one
// mapping, a reservation like an arena's.
func TestContentDenies(t *testing.T) {
	const mib = 1 << 20
	entry := func(start, end uint64, perms vm.Perms) ledger.Entry {
		return ledger.Entry{Mapping: vm.Mapping{Range: vm.Range{Start: start, End: end}, Perms: perms}, Origin: ledger.Origin{Cause: ledger.BeforeAttach}}
	}
	const rw = vm.Read | vm.Write
	s := &Space{
		Entries: []ledger.Entry{
			entry(0x1000, 0x2000, rw), // what was told
			entry(64*mib, 65*mib, rw), entry(65*mib, 128*mib, 0),
			entry(200*mib, 200*mib+0x2000, 0), entry(200*mib+0x2000, 210*mib, rw), // a guard, a stack, and something behind it
			entry(300*mib, 300*mib+0x2000, 0), entry(300*mib+0x2000, 308*mib, rw), // a guard and a stack
		},
		Content: []Finding{{Kind: GlibcLarge, Confidence: Certain, Evidence: "its header", Parts: []Part{{Range: vm.Range{Start: 0x1000, End: 0x2000}}}}},
		Threads: []Thread{{TID: 7, SP: 204*mib - 0x1000, TLS: 204*mib - 0x800}, {TID: 8, SP: 308*mib - 0x1000, TLS: 308*mib - 0x800}},
	}
	want := []struct {
		kind Kind
		sure bool
	}{{GlibcLarge, true}, {GlibcArena, false}, {GlibcArena, false}, {StackGuard, false}, {ThreadStack, false}, {StackGuard, true}, {ThreadStack, true}}
	for i, v := range Known().Classify(s) {
		if sure := v.Confidence != Guess; v.Kind != want[i].kind || sure != want[i].sure {
			t.Errorf("%v is %s, %s: %s", s.Entries[i].Range, v.Kind, v.Confidence, v.Evidence)
		}
	}
}
