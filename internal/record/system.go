package record

import (
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/procfs"
)

// surroundings holds the memory cgroup of the first process and its counters when the recording began.
type surroundings struct {
	group  *procfs.MemoryGroup
	before procfs.CgroupMemory
	known  bool // before was read
}

func surroundingsOf(pid int) (s surroundings) {
	s.group = procfs.MemoryGroupOf(pid)
	s.before, s.known = s.group.Read()
	return s
}

// system reads the memory limits that a process may run into, and its use of them: its cgroup, overcommit, huge pages
// and locked memory. of is its memory.
func (s *surroundings) system(tid int, of procfs.Memory) eventlog.System {
	list := s.cgroup(procfs.MemoryGroupOf(tid))
	machine := procfs.Meminfo()
	for word, name := range map[string]string{
		"Committed_AS": "committed", "CommitLimit": "commit_limit", "MemAvailable": "available", "MemTotal": "memory", "SwapFree": "swap_free",
		"HugePages_Total": "hugepages", "HugePages_Free": "hugepages_free", "HugePages_Rsvd": "hugepages_reserved",
	} {
		if n, ok := machine[word]; ok {
			list[name] = n
		}
	}
	if of.Locked >= 0 {
		list["locked"] = of.Locked
	}
	if of.Peak >= 0 {
		list["resident_peak"] = of.Peak
	}
	return list
}

// cgroup reads the limits and the usage of a cgroup. If it is the cgroup of the first process, events are counted
// from the start of the recording.
func (s *surroundings) cgroup(of *procfs.MemoryGroup) eventlog.System {
	list := eventlog.System{}
	g, ok := of.Read()
	if !ok {
		return list
	}
	put := func(name string, n int64) {
		if n >= 0 {
			list[name] = n
		}
	}
	put("cgroup_max", g.Max)
	put("cgroup_high", g.High)
	put("cgroup_current", g.Current)
	put("cgroup_swap", g.Swap)
	if !s.known || !of.Same(s.group) {
		return list
	}
	since := func(name string, now, then int64) {
		if now >= 0 && then >= 0 {
			put(name, max(now-then, 0))
		}
	}
	since("cgroup_max_events", g.MaxEvents, s.before.MaxEvents)
	since("cgroup_high_events", g.HighEvents, s.before.HighEvents)
	since("cgroup_oom_kills", g.OOMKills, s.before.OOMKills)
	return list
}
