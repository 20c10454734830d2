package classify

import (
	"github.com/vmblame/vmblame/internal/callers"
)

// chain is the call stack of an event.
type chain struct {
	frames []frame
	proven map[*Family]bool // see provenBy
	asked  bool             // familyOf has been asked
	family *Family
	named  bool
	caller int // index of the first frame that is no wrapper of the system call; len(frames) for none
}

// frame is one function of a chain.
type frame struct {
	name   string // as callers.Source writes it; "" where unknown
	module string // file name without directory
	in     callers.Module
	source string // file of its source without directory; "" where unknown, or a header
	global bool   // by a symbol table it is local to no file
}

// chain returns the call stack of e, an empty one where it has none.
func (v *view) chain(e *Event) *chain {
	if e == nil || e.Stack == 0 || v.Frames == nil {
		return &chain{asked: true}
	}
	c := v.chains[e.Stack]
	if c != nil {
		return c
	}
	c = &chain{}
	v.Frames(e.Stack, func(f callers.Call) bool {
		if f.Omitted == 0 {
			c.frames = append(c.frames, frame{callers.Source(f.Function), f.Module.Base(), f.Module, callers.SourceName(f.Source), f.Global})
		}
		return true
	})
	for c.caller < len(c.frames) && isWrapper(c, c.caller) {
		c.caller++
	}
	v.chains[e.Stack] = c
	return c
}

// isWrapper reports whether frame i only makes the system call: a named wrapper, or the innermost frame of
// a C library where it has no name.
func isWrapper(c *chain, i int) bool {
	f := c.frames[i]
	return callers.IsWrapper(f.name) || f.name == "" && i == 0 && f.in.IsLibc()
}

// by returns the innermost frame that is not a wrapper, the zero frame if there is none.
func (c *chain) by() frame {
	if c.caller < len(c.frames) {
		return c.frames[c.caller]
	}
	return frame{}
}

// libc reports which C library the stack passes through, even one that is linked into the program. It recognises it by
// its file, by the functions that call main or start a thread, or by two functions of its malloc.
func (c *chain) libc() (glibc, musl bool) {
	for _, f := range c.frames {
		switch f.name {
		case "__libc_start_call_main", "__libc_start_main_impl", "start_thread", "_dl_start", "__libc_setup_tls":
			return true, false
		case "libc_start_main_stage2":
			return false, true
		}
		if glibc, musl := f.in.IsGlibc(), f.in.IsMusl(); glibc || musl {
			return glibc, musl
		}
	}
	musl = c.find(muslMalloc[:]...) != "" && c.distinct("", muslFunctions) > 1
	return !musl && c.distinct("", glibcInner[:]) > 1, musl
}
