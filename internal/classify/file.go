package classify

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/vm"
)

// specialFiles lists the paths that the kernel shows for mappings of other than plain files, or their beginnings. Those that are
// own are files that the kernel keeps for itself: they are on no device, and the kernel calls them deleted.
var specialFiles = [...]struct {
	start string
	own   bool
	kind  Kind
}{
	{"/[aio]", true, AIO},                       // fs/aio.c
	{"anon_inode:[io_uring]", false, IOURing},   // io_uring/io_uring.c
	{"anon_inode:[perf_event]", false, Perf},    // kernel/events/core.c
	{"anon_inode:[userfaultfd]", false, Device}, //
	{"anon_inode:bpf", false, Device},           // kernel/bpf/syscall.c
	{"anon_inode:kvm", false, Device},           // virt/kvm/kvm_main.c
	{"anon_inode:", false, Device},              //
	{"socket:", false, Device},                  // packet(7) rings
	{"/SYSV", true, SharedSysV},                 // ipc/shm.c
	{"/dev/shm/", false, SharedPOSX},            // shm_open(3)
	{"/run/shm/", false, SharedPOSX},            //
	{"/memfd:", true, MemFD},                    // mm/memfd.c
	{"/secretmem", true, MemFD},                 // mm/secretmem.c
	{"/dev/zero", false, SharedAnon},            // mm/shmem.c, shmem_zero_setup
	{"[anon_shmem:", false, SharedAnon},         //
	{"/anon_hugepage", true, HugeTLB},           // fs/hugetlbfs/inode.c
	{"/dev/hugepages/", false, HugeTLB},         //
	{"/dev/dri/", false, GPU},                   //
	{"/dev/nvidia", false, GPU},                 //
	{"/dev/kfd", false, GPU},                    //
	{"/i915", true, GPU},                        // drivers/gpu/drm/i915/gem
	{"/drm mm object", true, GPU},               // drivers/gpu/drm/drm_gem.c
	{"/dmabuf:", false, GPU},                    // drivers/dma-buf
	{"/dev/mali", false, GPU},                   //
	{"/dev/", false, Device},                    //
	{"/sys/", false, Device},                    // resource files of PCI devices
}

// kernelsOwn reports whether f is a file that the kernel keeps for itself under the name, which may go on where others are told apart
// by what follows.
func kernelsOwn(f vm.File, name string) bool {
	path, deleted := strings.CutSuffix(f.Path, " (deleted)")
	return deleted && f.Dev.Major == 0 && (path == name || name == "/memfd:" || name == "/SYSV")
}

// fileFamily is files, what the kernel shows as if it were a file, and shared memory.
var fileFamily = Family{Kinds: []Row{
	{Locale, mass("locale data"), nil, false, "", ungoverned, adviseLocale},
	{FileData, words("file"), nil, false, "", ungoverned, noAdvice},
	{SharedSysV, mass("System V shared memory"), nil, false, "", ungoverned, noAdvice},
	{SharedPOSX, mass("POSIX shared memory"), nil, false, "", ungoverned, noAdvice},
	{SharedAnon, mass("shared anonymous memory"), nil, false, "", ungoverned, noAdvice},
	{MemFD, words("memfd"), nil, false, "", ungoverned, noAdvice},
	{AIO, words("aio ring"), nil, false, "", ungoverned, noAdvice},
	{IOURing, words("io_uring"), nil, false, "", ungoverned, noAdvice},
	{Perf, words("perf buffer"), nil, false, "", ungoverned, noAdvice},
	{GPU, mass("GPU memory"), nil, false, "", ungoverned, noAdvice},
	{Device, words("device"), nil, false, "", ungoverned, noAdvice},
	{HugeTLB, mass("huge pages"), nil, false, "", ungoverned, noAdvice},
}}

// OfFile reports whether mappings of the kind with one file are one thing, however many there are. Devices are not: what one
// of them has mapped several times is several things.
func (k Kind) OfFile() bool {
	switch k {
	case Locale, FileData, SharedSysV, SharedPOSX, SharedAnon, MemFD, HugeTLB:
		return true
	}
	return false
}

func adviseLocale(u *Usage) (int64, string) {
	return u.Reserved - u.Resident, fmt.Sprintf("%s of locale data are mapped, %s used: LC_ALL=C.UTF-8 needs none of it", u.Size(u.Reserved), u.Size(u.Resident))
}

// findSpecialFiles recognises shared memory, rings of the kernel and devices by the paths the kernel gives them.
func findSpecialFiles(v *view) {
	for i, e := range v.free {
		p := e.File.Path
		if ev := v.events[i]; ev != nil && (ev.Call == "io_setup" || ev.Call == "shmat" || ev.Call == "ipc") {
			k := SharedSysV
			if ev.Call == "io_setup" {
				k = AIO
			}
			v.claim(i, Verdict{Kind: k, Detail: cleanName(p), Evidence: "made by " + ev.Call})
			continue
		}
		if !e.File.Backed() && !strings.HasPrefix(p, "[anon_shmem:") {
			continue
		}
		for _, s := range specialFiles {
			if !strings.HasPrefix(p, s.start) || s.own && !kernelsOwn(e.File, s.start) {
				continue
			}
			if s.kind == SharedAnon && e.Perms&vm.Shared == 0 {
				break // a private mapping of /dev/zero is memory of its own
			}
			d := Verdict{Kind: s.kind, Detail: cleanName(p), Evidence: "the kernel's name " + p}
			if s.kind == MemFD && strings.HasPrefix(p, "/memfd:java_heap") && v.has(jvmFamily.has) {
				d.Kind = JVMHeap // ZGC maps its pages several times
			}
			if s.kind == SharedAnon && s.start == "/dev/zero" {
				d.Detail = ""
			}
			v.claim(i, d)
			break
		}
	}
}

// localeNames are the files of /usr/lib/locale/NAME (glibc locale/C-categories).
var localeNames = [...]string{"LC_ADDRESS", "LC_COLLATE", "LC_CTYPE", "LC_IDENTIFICATION", "LC_MEASUREMENT", "SYS_LC_MESSAGES", "LC_MONETARY",
	"LC_NAME", "LC_NUMERIC", "LC_PAPER", "LC_TELEPHONE", "LC_TIME", "locale-archive"}

// isLocale reports whether a file is one of the C library's for languages: by its name, and that of the folder that it is read from,
// whatever is above that.
func isLocale(file string) bool {
	switch name := cleanName(file); {
	case name == "gconv-modules.cache":
		return true
	case slices.Contains(localeNames[:], name):
		return strings.Contains(file, "/locale/")
	default:
		return strings.HasSuffix(name, ".mo") && strings.Contains(file, "/LC_MESSAGES/")
	}
}

// findFiles claims the remaining mappings of files: locales by their names, everything else as data.
func findFiles(v *view) {
	for i, e := range v.free {
		if !e.File.Backed() {
			continue
		}
		name := cleanName(e.File.Path)
		switch {
		case e.Perms&vm.Write == 0 && isLocale(e.File.Path):
			v.claim(i, Verdict{Kind: Locale, Detail: name, Evidence: "file " + e.File.Path})
		default:
			v.claim(i, Verdict{Kind: FileData, Detail: name, Evidence: "file " + e.File.Path})
		}
	}
}

// cleanName returns the last element of a path from the kernel, without the suffix for deleted files.
func cleanName(p string) string { return strings.TrimSuffix(path.Base(p), " (deleted)") }

// has reports whether such a file is loaded.
func (v *view) has(is func(callers.Module) bool) bool {
	if v.images == nil {
		v.images = map[callers.Module]bool{}
		for i := range v.Entries {
			if e := &v.Entries[i]; e.File.Backed() && e.Perms&vm.Exec != 0 {
				m := callers.Named(strings.TrimSuffix(e.File.Path, " (deleted)"))
				if v.Role != nil {
					m.Role = v.Role(e.File)
				}
				v.images[m] = true
			}
		}
	}
	for m := range v.images {
		if is(m) {
			return true
		}
	}
	return false
}

// unnamed returns how sure it is that a call without function names came from such a file: likely where the stack
// passes through it, a guess where there is no stack but the file is loaded, "" otherwise.
func (v *view) unnamed(c *chain, is func(callers.Module) bool) Confidence {
	by := c.by()
	switch {
	case by.name != "":
		return ""
	case is(by.in):
		return Likely
	case by.module == "" && v.has(is):
		return Guess
	}
	return ""
}
