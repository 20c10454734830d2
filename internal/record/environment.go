package record

import (
	"cmp"
	"debug/elf"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/procfs"
	"github.com/vmblame/vmblame/internal/vm"
)

// systemFiles are the machine's settings that change how programs lay out memory, with their names in the log.
var systemFiles = map[string]string{
	"overcommit_memory":  "/proc/sys/vm/overcommit_memory",
	"overcommit_ratio":   "/proc/sys/vm/overcommit_ratio",
	"max_map_count":      "/proc/sys/vm/max_map_count",
	"randomize_va_space": "/proc/sys/kernel/randomize_va_space",
	"thp":                "/sys/kernel/mm/transparent_hugepage/enabled",
	"nr_hugepages":       "/proc/sys/vm/nr_hugepages",
	"legacy_va_layout":   "/proc/sys/vm/legacy_va_layout",
}

var rlimits = map[string]string{
	"rlimit_as": "Max address space", "rlimit_data": "Max data size", "rlimit_stack": "Max stack size",
	"rlimit_memlock": "Max locked memory", "rlimit_rss": "Max resident set",
}

// newHeader returns the log's first line, without its backend. pid is the process whose limits and cgroup are
// recorded, 0 for our own; rows is what it has mapped.
func newHeader(tool, mode string, start time.Time, command, env []string, exe string, pid int, rows []vm.Mapping) *eventlog.Header {
	if command == nil {
		command = []string{}
	}
	var uts unix.Utsname
	_ = unix.Uname(&uts)
	host, _ := os.Hostname()
	return &eventlog.Header{
		Format: "vmblame", Version: eventlog.Version, Tool: tool, Mode: mode, Command: command,
		Started: start.Format(time.RFC3339Nano),
		Host: eventlog.Host{Kernel: unix.ByteSliceToString(uts.Release[:]), Arch: "x86_64", PageSize: vm.PageSize,
			CPUs: runtime.NumCPU(), Hostname: host},
		Environment: layoutEnvironment(classify.Known().Variables(), env, exe, pid, rows),
	}
}

// layoutEnvironment returns the recorded environment of a process. Of its environment variables, env, only those in
// variables are ever recorded: others may hold secrets.
func layoutEnvironment(variables, env []string, exe string, pid int, rows []vm.Mapping) eventlog.Environment {
	e := make(eventlog.Environment)
	for _, name := range variables {
		e[name] = nil
		for _, kv := range env {
			if v, ok := strings.CutPrefix(kv, name+"="); ok {
				e[name] = &v
			}
		}
	}
	for name, path := range systemFiles {
		e[name] = nil
		if text, err := os.ReadFile(path); err == nil {
			v := strings.TrimSpace(string(text))
			e[name] = &v
		}
	}
	bounds := limits(cmp.Or(pid, os.Getpid()))
	for _, name := range slices.Concat(slices.Collect(maps.Keys(rlimits)), cgroupFiles[:]) {
		e[cgroupName(name)] = nil
	}
	for name, v := range bounds {
		e[name] = &v
	}
	e["libc_build_id"] = libcBuildID(pid, exe, rows)
	return e
}

// cgroupFiles are the limits of a cgroup of version 2.
var cgroupFiles = [...]string{"memory.max", "memory.high", "cpu.max", "pids.max"}

// cgroupName returns the name in the log for one of cgroupFiles, or for a limit of the process.
func cgroupName(file string) string {
	if strings.HasPrefix(file, "rlimit_") {
		return file
	}
	return "cgroup_" + strings.ReplaceAll(file, ".", "_")
}

// limits reads a process's limits, and those of its innermost cgroup, by their names in the log: those that can be read.
func limits(pid int) map[string]string {
	out := map[string]string{}
	soft := procfs.SoftLimits(pid)
	for name, title := range rlimits {
		if v, ok := soft[title]; ok {
			out[name] = v
		}
	}
	if path := procfs.Cgroup(pid); path != "" {
		for _, file := range cgroupFiles {
			if text, err := os.ReadFile("/sys/fs/cgroup" + path + "/" + file); err == nil {
				out[cgroupName(file)] = strings.TrimSpace(string(text))
			}
		}
	}
	return out
}

// readLimits reads the limits of a call's process if the call was refused memory, and keeps those that differ from the
// limits its program began with.
func (f *pending) readLimits(errno syscall.Errno) {
	f.limits = nil
	if errno != syscall.ENOMEM && errno != syscall.EAGAIN {
		return
	}
	soft := procfs.SoftLimits(f.task.thread.TID)
	for name, title := range rlimits {
		v, read := soft[title]
		if began := f.space.environment; !read || began != nil && began.Limits[name] == v {
			continue
		}
		if f.limits == nil {
			f.limits = map[string]string{}
		}
		f.limits[name] = v
	}
}

// listedVariables are the variables of the environment whose values are recorded.
func listedVariables() map[string]bool {
	m := map[string]bool{}
	for _, name := range classify.Known().Variables() {
		m[name] = true
	}
	return m
}

// mostOthers limits how many names of other variables are recorded.
const mostOthers = 1000

// beganWith reads the environment and limits that a program started with. For variables that are not listed only the
// names are recorded: the values may be secret.
func beganWith(tid int, listed map[string]bool) *eventlog.SpaceEnvironment {
	s := &eventlog.SpaceEnvironment{Limits: limits(tid)}
	env, ok := procfs.BeganWith(tid)
	if !ok {
		return s
	}
	s.Variables, s.Others = map[string]string{}, []string{}
	for _, kv := range env {
		name, value, is := strings.Cut(kv, "=")
		if _, twice := s.Variables[name]; !is || twice {
			continue // the first one counts (getenv(3))
		}
		if listed[name] {
			s.Variables[name] = value
		} else {
			s.Others = append(s.Others, name)
		}
	}
	slices.Sort(s.Others)
	if s.Others = slices.Compact(s.Others); len(s.Others) > mostOthers {
		s.Others = nil
	}
	return s
}

// sameEnvironment reports whether two programs started with the same environment and limits. If either is unknown
// they are not the same.
func sameEnvironment(a, b *eventlog.SpaceEnvironment) bool {
	return a != nil && b != nil && a.Variables != nil && b.Variables != nil && a.Others != nil && b.Others != nil &&
		maps.Equal(a.Variables, b.Variables) && slices.Equal(a.Others, b.Others) && maps.Equal(a.Limits, b.Limits)
}

// libcBuildID finds the C library that the program will use: the mapped one, or the one in the directory of its
// interpreter (pid 0: not running yet). nil for a static program, or if none is found.
func libcBuildID(pid int, exe string, rows []vm.Mapping) *string {
	var paths []string
	root := "/"
	if pid != 0 {
		root = fmt.Sprintf("/proc/%d/root", pid)
		for _, row := range rows {
			if p := row.File.Path; callers.Named(p).IsLibc() && !strings.Contains(p, "/libpthread") {
				paths = append(paths, row.File.Path)
			}
		}
	} else if interp := interpreter(exe); strings.Contains(interp, "ld-musl") {
		paths = []string{interp}
	} else if interp != "" {
		paths = []string{"/lib/x86_64-linux-gnu/libc.so.6", "/lib64/libc.so.6", "/usr/lib/libc.so.6", "/usr/lib64/libc.so.6"}
	}
	for _, p := range paths {
		f, err := elffile.OpenUnder(root, p)
		if err != nil {
			continue
		}
		id := f.BuildID()
		f.Close()
		if id != "" {
			return &id
		}
	}
	return nil
}

// mapped lists the mappings of a process; nothing if they cannot be read.
func mapped(pid int) []vm.Mapping {
	maps, err := procfs.OpenMaps(pid)
	if err != nil {
		return nil
	}
	defer maps.Close()
	rows, _ := maps.All()
	return rows
}

// interpreter returns the dynamic loader that an ELF file names, "" where it names none.
func interpreter(path string) string {
	f, err := elffile.OpenPath(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	for _, p := range f.Progs() {
		if p.Type == elf.PT_INTERP && p.Filesz < 4096 {
			name := make([]byte, p.Filesz)
			n, _ := f.ReadAt(name, int64(p.Off))
			return strings.TrimRight(string(name[:n]), "\x00")
		}
	}
	return ""
}
