package record

import (
	"cmp"
	"debug/elf"
	"fmt"
	"os"
	"runtime"
	"strings"
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

// newHeader makes the first line but for the backend. pid is the process whose limits and cgroup count, 0 for our own.
func newHeader(tool, mode string, start time.Time, command, env []string, exe string, pid int) *eventlog.Header {
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
		Environment: layoutEnvironment(classify.Known().Variables(), env, exe, pid),
	}
}

// layoutEnvironment returns the recorded environment of a process. Of its environment variables, env, only those in
// variables are ever recorded: others may hold secrets.
func layoutEnvironment(variables, env []string, exe string, pid int) eventlog.Environment {
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
	of := cmp.Or(pid, os.Getpid())
	limits := procfs.SoftLimits(of)
	for name, title := range rlimits {
		e[name] = nil
		if v, ok := limits[title]; ok {
			e[name] = &v
		}
	}
	readCgroup(e, procfs.Cgroup(of))
	e["libc_build_id"] = libcBuildID(pid, exe)
	return e
}

// readCgroup reads the limits of the innermost cgroup (version 2).
func readCgroup(e eventlog.Environment, path string) {
	for _, name := range []string{"memory.max", "memory.high", "cpu.max", "pids.max"} {
		key := "cgroup_" + strings.ReplaceAll(name, ".", "_")
		e[key] = nil
		if text, err := os.ReadFile("/sys/fs/cgroup" + path + "/" + name); err == nil && path != "" {
			v := strings.TrimSpace(string(text))
			e[key] = &v
		}
	}
}

// libcBuildID finds the C library that the program will use: the mapped one, or the one in the directory of its
// interpreter (pid 0: not running yet). nil for a static program, or if none is found.
func libcBuildID(pid int, exe string) *string {
	var paths []string
	root := "/"
	if pid != 0 {
		root = fmt.Sprintf("/proc/%d/root", pid)
		for _, row := range mapped(pid) {
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

// mapped lists what a process has mapped, nothing where that cannot be read.
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
