package classify

import (
	"path"
	"strings"
)

// chain is the call stack of an event.
type chain struct {
	frames []frame
	caller int // index of the first frame that is no wrapper of the system call; len(frames) for none
}

// frame is one function of a chain.
type frame struct {
	name   string // base name: no parameters, no compiler's suffix; "" where unknown
	module string // file name without directory
}

// chain returns the call stack of e, an empty one where it has none.
func (v *view) chain(e *Event) *chain {
	if e == nil || e.Stack == 0 || v.Frames == nil {
		return &chain{}
	}
	c := v.chains[e.Stack]
	if c != nil {
		return c
	}
	c = &chain{}
	v.Frames(e.Stack, func(function, module string) bool {
		c.frames = append(c.frames, frame{baseName(function), path.Base(module)})
		return true
	})
	for c.caller < len(c.frames) && isWrapper(c, c.caller) {
		c.caller++
	}
	v.chains[e.Stack] = c
	return c
}

// isWrapper tells whether frame i only makes the system call: a named wrapper, or the innermost frame of
// libc where it has no name.
func isWrapper(c *chain, i int) bool {
	f := c.frames[i]
	switch f.name {
	case "mmap", "mmap64", "__mmap", "__mmap64", "mremap", "__mremap", "syscall", "__syscall", "munmap", "mprotect", "__mprotect",
		"brk", "__brk", "sbrk", "__sbrk", "shmat", "mmap@plt", "mmap64@plt", "x_cgo_mmap",
		"syscall.Syscall6", "syscall.RawSyscall6", "runtime/internal/syscall.Syscall6", "internal/runtime/syscall.Syscall6",
		"internal/runtime/syscall/linux.Syscall6", "syscall.mmap", "syscall.(*mmapper).Mmap", "syscall.Mmap",
		"golang.org/x/sys/unix.mmap", "golang.org/x/sys/unix.(*mmapper).Mmap", "golang.org/x/sys/unix.Mmap":
		return true
	case "":
		return i == 0 && isLibc(f.module)
	}
	return false
}

// by is the first frame that is no wrapper, the zero frame where there is none.
func (c *chain) by() frame {
	if c.caller < len(c.frames) {
		return c.frames[c.caller]
	}
	return frame{}
}

// find returns the innermost of these functions on the stack, "" for none.
func (c *chain) find(names ...string) string {
	for _, f := range c.frames {
		for _, n := range names {
			if f.name == n {
				return n
			}
		}
	}
	return ""
}

// baseName cuts a demangled name down to what stands before its parameters, without what compilers append
// to the names of parts and copies ("new_heap.isra.0").
func baseName(s string) string {
	const hidden = "(anonymous namespace)"
	from := 0
	for {
		i := strings.IndexByte(s[from:], '(')
		if i < 0 {
			break
		}
		i += from
		if strings.HasPrefix(s[i:], hidden) {
			from = i + len(hidden)
			continue
		}
		if i > 0 && !strings.HasSuffix(s[:i], "operator") && s[i-1] != '.' {
			s = s[:i]
			break
		}
		from = i + 1
	}
	s = strings.TrimPrefix(s, "__GI_")
	for _, suffix := range [...]string{".constprop.", ".part.", ".isra.", ".cold", ".lto_priv.", ".llvm.", " [clone"} {
		if i := strings.Index(s, suffix); i > 0 {
			s = s[:i]
		}
	}
	return s
}

// isLibc tells whether a file is a C library, of glibc or of musl.
func isLibc(module string) bool { return isGlibc(module) || isMusl(module) }

func isGlibc(module string) bool {
	return strings.HasPrefix(module, "libc.so.6") || strings.HasPrefix(module, "libc-2") || strings.HasPrefix(module, "libpthread")
}

// isMusl: the loader and the library are one file.
func isMusl(module string) bool {
	return strings.HasPrefix(module, "ld-musl") || strings.HasPrefix(module, "libc.musl") || module == "libc.so"
}

func isLoader(module string) bool {
	return strings.HasPrefix(module, "ld-linux") || strings.HasPrefix(module, "ld-2.") || module == "ld.so"
}

// libc tells which C library the stack passes through, also one that is part of the program: by the
// functions that call main or start a thread.
func (c *chain) libc() (glibc, musl bool) {
	for _, f := range c.frames {
		switch f.name {
		case "__libc_start_call_main", "__libc_start_main_impl", "_int_malloc", "sysmalloc", "start_thread", "_dl_start", "__libc_setup_tls", "_int_realloc":
			return true, false
		case "libc_start_main_stage2", "alloc_group", "alloc_slot", "__libc_malloc_impl", "__malloc_alloc_meta":
			return false, true
		}
		switch {
		case isGlibc(f.module):
			return true, false
		case isMusl(f.module):
			return false, true
		}
	}
	return false, false
}
