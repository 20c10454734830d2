package procfs

import (
	"os"
	pathpkg "path"
	"strconv"
	"strings"

	"github.com/vmblame/vmblame/internal/kernelfile"
)

// Cgroup reads a task's cgroup (version 2) from /proc/TID/cgroup, as a path below /sys/fs/cgroup; "" for none.
func Cgroup(tid int) string { return groupIn(text(tid, "cgroup"), "") }

// groupIn is a task's group of a controller of version 1, or with "" of version 2. groups is its /proc/TID/cgroup.
func groupIn(groups, controller string) string {
	for line := range strings.Lines(groups) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		for c := range strings.SplitSeq(f[1], ",") {
			if c == controller {
				return f[2]
			}
		}
	}
	return ""
}

// A CgroupMemory is the memory bounds of a cgroup and what it uses, in bytes. The events are counts since the cgroup was made. A value that could not be
// read, and a bound that is not set, is -1. The files are those of the kernel's cgroup-v2.rst, and of memcg_test.txt for version 1.
type CgroupMemory struct {
	Max, High, Current, Swap int64
	MaxEvents, HighEvents    int64 // the bound was hit, and pages had to be given back
	OOMKills                 int64 // processes that were killed for it
}

// A MemoryGroup is a task's own group of the memory controller, as it was in when asked. It outlives the task.
type MemoryGroup struct {
	dir     string // below which the groups are
	at      string // the own one
	version groupVersion
}

// A groupVersion reads the figures of a group from its directory.
type groupVersion struct {
	bound func(dir string) CgroupMemory     // only Max and Current
	rest  func(dir string, m *CgroupMemory) // the others
}

// MemoryGroupOf finds the group of a task; nil where there is no controller of memory.
func MemoryGroupOf(tid int) *MemoryGroup {
	groups := text(tid, "cgroup")
	g := &MemoryGroup{"/sys/fs/cgroup", groupIn(groups, ""), version2}
	if g.at == "" || !exists(g.dir+g.at+"/memory.current") && !exists(g.dir+g.at+"/memory.max") {
		g = &MemoryGroup{"/sys/fs/cgroup/memory", groupIn(groups, "memory"), version1}
	}
	if g.at == "" {
		return nil
	}
	return g
}

// Same reports whether both are one group.
func (g *MemoryGroup) Same(o *MemoryGroup) bool {
	return g != nil && o != nil && g.dir == o.dir && g.at == o.at
}

// Read reads the figures of the group, or of the one around it, that is nearest to its bound; of this group if none has a bound. ok is false if nothing
// can be read.
func (g *MemoryGroup) Read() (m CgroupMemory, ok bool) {
	if g == nil {
		return m, false
	}
	nearest, least := "", int64(-1)
	var found CgroupMemory
	for at := g.at; ; at = pathpkg.Dir(at) {
		if x := g.version.bound(g.dir + at); x.Current >= 0 || x.Max >= 0 {
			bounded := x.Max >= 0 && x.Current >= 0
			left := max(x.Max-x.Current, 0)
			if nearest == "" || bounded && (least < 0 || left < least) {
				nearest, found = at, x
				if bounded {
					least = left
				}
			}
		}
		if at == "/" || at == "." {
			break
		}
	}
	if nearest == "" {
		return m, false
	}
	g.version.rest(g.dir+nearest, &found)
	return found, true
}

// exists reports whether there is a file called name that can be looked up.
func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

var version2 = groupVersion{
	bound: func(dir string) CgroupMemory {
		return CgroupMemory{Max: number(dir + "/memory.max"), Current: number(dir + "/memory.current")}
	},
	rest: func(dir string, m *CgroupMemory) {
		events := fields(dir + "/memory.events")
		m.High, m.Swap = number(dir+"/memory.high"), number(dir+"/memory.swap.current")
		m.MaxEvents, m.HighEvents, m.OOMKills = figure(events, "max"), figure(events, "high"), figure(events, "oom_kill")
	},
}

var version1 = groupVersion{
	bound: boundOfMemory1,
	rest: func(dir string, m *CgroupMemory) {
		m.High, m.HighEvents = -1, -1
		m.MaxEvents, m.OOMKills = number(dir+"/memory.failcnt"), figure(fields(dir+"/memory.oom_control"), "oom_kill")
		m.Swap = figure(fields(dir+"/memory.stat"), "swap")
	},
}

func boundOfMemory1(dir string) CgroupMemory {
	const none = 1 << 62 // a bound is given in pages of the largest number of bytes
	m := CgroupMemory{Max: number(dir + "/memory.limit_in_bytes"), Current: number(dir + "/memory.usage_in_bytes")}
	if m.Max > none {
		m.Max = -1
	}
	return m
}

// number reads a file of one number, -1 where that is another word or cannot be read.
func number(name string) int64 {
	b, err := kernelfile.Read(name)
	if err != nil {
		return -1
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// fields reads a file of lines of a word and a number.
func fields(name string) map[string]int64 {
	list := map[string]int64{}
	b, err := kernelfile.Read(name)
	if err != nil {
		return list
	}
	for line := range strings.Lines(string(b)) {
		word, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.ParseInt(value, 10, 64); ok && err == nil {
			list[word] = n
		}
	}
	return list
}

func figure(list map[string]int64, word string) int64 {
	if n, ok := list[word]; ok {
		return n
	}
	return -1
}
