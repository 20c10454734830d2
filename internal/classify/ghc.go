package classify

import (
	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/vm"
)

// ghcFamily: the storage manager of GHC's rts/posix/OSMem.c and rts/sm/MBlock.c, in programs that are linked with it.
var ghcFamily = Family{
	Language: true,
	Modules:  []string{"libHSrts"},
	Kinds: []Row{{GHC, words("Haskell heap"), nil, false, "", ungoverned,
		noAdvice}},
	Caller: callers.Allocator{Lowest: []string{"my_mmap*", "os*Memory*", "osGetMBlocks", "getMBlocks*", "getCommittedMBlocks", "alloc_mega_group"}},
	Calls:  []string{"my_mmap*", "osReserveHeapMemory", "osTryReserveHeapMemory", "osCommitMemory", "osGetMBlocks"},
	Beside: []string{"getMBlocks*", "getMBlock*", "getCommittedMBlocks", "alloc_mega_group", "initMBlocks", "initStorage", "initBlockAllocator", "hs_init_ghc", "hs_main"},
}

const (
	ghcHint = 0x4200000000 // where GHC asks for its heap (osReserveHeapMemory)
	ghcUnit = 1 << 20      // MBLOCK_SIZE
)

// findGHC recognises the heap of a Haskell program without names: what lies where GHC's runtime asks for it, a
// power of two and the megablock by which that can be aligned.
func findGHC(v *view) {
	for i, e := range v.free {
		ev := v.root(i)
		if ev == nil || !anonymous(e) || !ev.anonymous() || ev.Prot != vm.ProtNone || v.chain(ev).by().name != "" {
			continue
		}
		if n := ev.Length - ghcUnit; ev.Result == ghcHint && ev.Length > ghcUnit && n >= 1<<30 && n&(n-1) == 0 {
			v.claimAll(i, v.run(i), Verdict{Kind: GHC, Confidence: Likely, Evidence: "reserved where GHC's runtime has its heap, and as much"})
		}
	}
}
