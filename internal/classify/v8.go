package classify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// v8Parts lists the parts of V8's memory by the functions that map them (src/heap/code-range.cc,
// src/utils/allocation.cc, src/sandbox, src/objects/backing-store.cc, src/wasm).
var v8Parts = [...]clue{
	{Wasm, mass("WebAssembly code"), []string{"v8::internal::wasm::WasmCodeManager::*", "v8::internal::wasm::WasmCodeAllocator::*", "v8::internal::wasm::NativeModule::*"}},
	{Wasm, Words{}, []string{"v8::internal::wasm::*", "v8::internal::BackingStore::TryAllocateAndPartiallyCommitMemory", "v8::internal::BackingStore::AllocateWasmMemory", "v8::internal::WasmMemoryObject::*"}},
	{V8Code, Words{}, []string{"v8::internal::CodeRange::*", "v8::internal::OffHeapInstructionStream::*", "v8::internal::InstructionStream::*"}},
	{V8Cage, Words{}, []string{"v8::internal::VirtualMemoryCage::*", "v8::internal::IsolateAllocator::*", "v8::internal::IsolateGroup::*", "v8::internal::Sandbox::*", "v8::internal::V8VirtualMemoryCage::*",
		"v8::base::VirtualAddressSpace*", "cppgc::internal::CagedHeap::*", "v8::internal::ExternalPointerTable::*", "v8::internal::ExternalEntityTable*"}},
	{V8Heap, words("V8 C++ heap"), []string{"cppgc::*"}},
	{V8Heap, mass("V8 compiler's memory"), []string{"v8::internal::Zone::*", "v8::internal::AccountingAllocator::*"}},
}

var v8HeapSettings = hint(NodeOption, "--max-old-space-size --max_old_space_size")

// roleV8 is a library that has V8 in it.
const roleV8 callers.Role = "v8"

// v8Lowest: src/base/platform/platform-posix.cc, src/base/page-allocator.cc, src/utils/allocation.cc.
var v8Lowest = []string{"v8::base::OS::*", "v8::base::PageAllocator::*", "v8::base::BoundedPageAllocator::*", "v8::base::VirtualAddressSpace*", "v8::base::(anonymous namespace)::*",
	"v8::internal::AllocatePages", "v8::internal::SetPermissions", "v8::internal::VirtualMemory::*", "v8::PageAllocator::*", "node::NodePlatform::*PageAllocator*"}

var v8Family = Family{
	Role: roleV8, Exports: []string{"_ZN2v87Isolate3NewERKNS0_12CreateParamsE"},
	Caller:   callers.Allocator{Lowest: v8Lowest},
	Language: true,
	Kinds: []Row{
		{V8Cage, words("V8 cage"), nil, false, "", v8HeapSettings, noAdvice},
		{V8Heap, words("V8 heap"), nil, false, "", v8HeapSettings, adviseV8},
		{V8Code, words("V8 code range"), nil, false, "", ungoverned, noAdvice},
		{Wasm, mass("WebAssembly memory"), nil, false, "", ungoverned, noAdvice},
	},
	Labels: []Label{{"v8", V8Heap}, {"nodejs Large Page", ELFText}},
}

func adviseV8(u *Usage) (int64, string) {
	if !u.Known || u.Resident < 128<<20 {
		return 0, ""
	}
	return u.Resident / 4, fmt.Sprintf("the JavaScript heap has %s resident: NODE_OPTIONS=--max-old-space-size=%d (MiB) bounds it; it costs CPU time", u.Size(u.Resident), u.Resident*3/4>>20)
}

// findV8 recognises what V8 maps: every part of it goes through v8::base::OS.
func findV8(v *view) {
	for i, e := range v.free {
		ev := v.root(i)
		if ev == nil || !anonymous(e) && !v.byProgram(i) {
			continue
		}
		c := v.chain(ev)
		switch {
		case c.calledBy("v8::*", "cppgc::*"):
			d := Verdict{Kind: V8Heap, Evidence: ev.Call + " by " + c.outer("v8::base::*", "v8::internal::VirtualMemory::*")}
			if part, f := c.clue(v8Parts[:]); part != nil {
				d.Kind, d.Evidence = part.kind, "mapped for "+f
				d.name(part.words)
			}
			v.claimAll(i, v.run(i), d)
		case v.unnamed(c, isV8) != "" && ev.Flags&vm.MapNoReserve != 0 && ev.Prot == vm.ProtNone:
			d := Verdict{Kind: V8Heap, Confidence: v.unnamed(c, isV8), Evidence: "reserved without access in a program of V8's"}
			n := v.run(i)
			left := v.Entries[n-1].End - e.Start // of what was reserved
			switch {
			case slices.ContainsFunc(v.Entries[i:n], func(e ledger.Entry) bool { return e.Perms&vm.Exec != 0 }):
				d.Kind = V8Code
			case left < ev.Length && left >= 1<<30 && left&(left-1) == 0 && e.Start%left == 0:
				d.Kind, d.Evidence = V8Cage, "reserved and trimmed to a multiple of itself in a program of V8's"
			case ev.Length >= 8<<30 && ev.Length < 64<<30:
				d.Kind, d.Confidence = Wasm, Guess
			case ev.Length >= 64<<20:
				d.Kind = V8Cage // or a table of pointers, which belongs to it
			}
			v.claimAll(i, n, d)
		}
	}
}

// isV8 reports whether a file is a program or library that contains V8.
func isV8(m callers.Module) bool {
	name := m.Base()
	for _, s := range [...]string{"node", "nodejs", "deno", "chrome", "chromium", "electron"} {
		if name == s {
			return true
		}
	}
	return m.Role == roleV8 || strings.HasPrefix(name, "libnode.so") || strings.HasPrefix(name, "libv8")
}
