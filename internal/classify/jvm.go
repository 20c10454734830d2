package classify

import (
	"strings"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// jvmParts lists the parts of a HotSpot virtual machine by the functions that reserve them. The order matters: the
// reservation of the heap passes through functions of its collector.
var jvmParts = [...]clue{
	{JVMHeap, Words{}, []string{"ReservedHeapSpace::*", "Universe::reserve_heap", "ZVirtualMemory*", "ZPhysicalMemory*", "XVirtualMemory*", "XPhysicalMemory*"}},
	{JVMCodeCache, Words{}, []string{"ReservedCodeSpace::*", "CodeCache::*", "CodeHeap::*"}},
	{JVMClassSpace, Words{}, []string{"Metaspace::reserve_address_space_for_compressed_classes", "MetaspaceShared::reserve_address_space_for_archives", "CompressedKlassPointers::*", "Metaspace::allocate_metaspace_compressed_klass_ptrs"}},
	{JVMMetaspace, Words{}, []string{"metaspace::*", "Metaspace::*", "VirtualSpaceNode::*", "VirtualSpaceList::*"}},
	{JVMCDS, Words{}, []string{"FileMapInfo::*", "MetaspaceShared::*", "DynamicArchive::*", "AOTMetaspace::*"}},
	{JVMGC, Words{}, []string{"G1*", "CardTable::*", "CardTableRS::*", "MarkBitMap::*", "CMBitMap::*", "ParMarkBitMap::*", "ParallelCompactData::*",
		"BlockOffset*", "ObjectStartArray::*", "Shenandoah*", "ParallelScavengeHeap::*", "PSMarkSweep*", "PSParallelCompact::*", "PSCardTable::*",
		"GenCollectedHeap::*", "SerialHeap::*", "GenericTaskQueue*", "TaskQueue*", "ZMark*", "ZHeap::*", "ZInitialize::*", "ZCollectedHeap::*", "ZGranuleMap*", "EpsilonHeap::*"}},
}

var jvmHeapSettings = hint(JavaOption, "-Xmx -XX:MaxRAM -XX:MaxHeapSize").by(Machine, "cgroup_memory_max cpus")

// jvmLowest: src/hotspot/os/linux/os_linux.cpp, os/posix/os_posix.cpp and share/runtime/os.cpp.
var jvmLowest = []string{"os::pd_*", "os::reserve_memory*", "os::commit_memory*", "os::attempt_reserve_memory*", "os::map_memory*", "os::Linux::*", "os::Posix::*", "anon_mmap*", "reserve_mmapped_memory"}

var jvmFamily = Family{Modules: []string{"libjvm.so"}, Role: "jvm", Exports: []string{"JNI_CreateJavaVM", "gHotSpotVMStructs"}, Language: true, Caller: callers.Allocator{Lowest: jvmLowest}, Kinds: []Row{
	{JVMHeap, words("Java heap"), nil, false, "", jvmHeapSettings, addressOnly("-Xmx (or -XX:MaxRAMPercentage) bounds the Java heap, and with it the GC's own structures")},
	{JVMClassSpace, words("Java class space"), nil, false, "", hint(JavaOption, "-XX:CompressedClassSpaceSize"), addressOnly("-XX:CompressedClassSpaceSize=128m bounds the Java class space")},
	{JVMMetaspace, words("Java metaspace"), nil, false, "", ungoverned, noAdvice},
	{JVMCodeCache, words("Java code cache"), nil, false, "", hint(JavaOption, "-XX:ReservedCodeCacheSize"), addressOnly("-XX:ReservedCodeCacheSize=64m bounds the Java code cache")},
	{JVMCDS, words("Java class data archive"), nil, false, "", ungoverned, noAdvice},
	{JVMGC, mass("Java GC structures"), nil, false, "", jvmHeapSettings, noAdvice},
	{JVMOther, mass("Java VM memory"), nil, false, "", ungoverned, noAdvice},
}}

// findJVM recognises what libjvm maps: reservations without access, committed by mapping over them. The
// function that made the reservation decides; where libjvm has no names, address and size do.
func findJVM(v *view) {
	for i, e := range v.free {
		if base := cleanName(e.File.Path); e.File.Backed() {
			if strings.HasSuffix(base, ".jsa") && v.has(jvmFamily.has) {
				v.claimArchive(i, Verdict{Kind: JVMCDS, Detail: base, Evidence: "file of that name", Group: v.group()})
			}
			continue
		}
		ev := v.root(i)
		if ev == nil || !anonymous(e) {
			continue
		}
		c := v.chain(ev)
		sure := v.unnamed(c, jvmFamily.has)
		if sure == Guess && ev.Flags&vm.MapNoReserve == 0 {
			continue
		}
		if sure == "" && !jvmFamily.has(c.by().in) {
			if ev, c = v.events[i], v.chain(v.events[i]); !jvmFamily.has(c.by().in) {
				continue
			}
		}
		n := v.run(i)
		d := Verdict{Kind: JVMOther, Evidence: ev.Call + " by libjvm", Group: v.group()}
		switch part, f := c.clue(jvmParts[:]); {
		case part != nil:
			d.Kind, d.Evidence = part.kind, "reserved by "+f
		case c.by().name == "":
			v.guessJVM(&d, ev, v.Entries[i:n])
			if sure == Guess {
				if d.Kind == JVMOther {
					continue // no evidence that a Java VM made it
				}
				d.Confidence = Guess
			}
		default:
			d.Detail = "by " + c.outer("os::*", "ReservedSpace::*", "VirtualSpace::*", "Generation::*")
		}
		v.claimAll(i, n, d)
	}
}

// claimArchive claims a part of the archive of class data and, after it, what pads it to 16 MiB.
func (v *view) claimArchive(i int, d Verdict) {
	v.claim(i, d)
	if j := i + 1; v.beside(j) && !v.claimed(j) {
		if pad := &v.Entries[j]; anonymous(pad) && !accessible(pad) && pad.Len() < 16<<20 {
			d.Evidence = "padding after the file"
			v.claim(j, d)
		}
	}
}

// outer returns the innermost named function that is not one of these, or the caller's name.
func (c *chain) outer(but ...string) string {
	for _, f := range c.frames[c.caller:] {
		if f.name != "" && !callers.Matches(f.name, but) {
			return f.name
		}
	}
	return c.by().name
}

// guessJVM classifies a reservation of a libjvm without names: compressed references need the heap below
// 32 GiB, compiled code is executable, the class space is 1 GiB unless set otherwise and has the archive
// of class data in front, metaspace comes in 64 MiB.
func (v *view) guessJVM(d *Verdict, ev *Event, parts []ledger.Entry) {
	reserved := ev.Prot == vm.ProtNone && ev.Flags&vm.MapNoReserve != 0
	executable := false
	for i := range parts {
		executable = executable || parts[i].Perms&vm.Exec != 0
	}
	d.Confidence = Likely
	switch {
	case executable:
		d.Kind, d.Evidence = JVMCodeCache, "reserved by libjvm, partly executable"
	case reserved && ev.Result < 32<<30:
		d.Kind, d.Evidence = JVMHeap, "reserved by libjvm below 32 GiB"
	case reserved && ev.Length>>30 == 1 && ev.Length&(1<<24-1) == 0:
		d.Kind, d.Evidence = JVMClassSpace, "1 GiB reserved by libjvm"
	case reserved && ev.Length == 64<<20:
		d.Kind, d.Evidence = JVMMetaspace, "64 MiB reserved by libjvm"
	case reserved && ev.Length >= 1<<30:
		d.Kind, d.Confidence, d.Evidence = JVMHeap, Guess, "the size of it, reserved by libjvm"
	case ev.Length >= 64<<10:
		d.Kind, d.Confidence, d.Evidence = JVMGC, Guess, "mapped by libjvm"
	default:
		d.Confidence = Guess
	}
}
