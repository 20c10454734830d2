package testenv

import (
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// feature is something a test may need.
type feature struct {
	has func() bool
	how string // to have it: "root", "sysctl NAME=VALUE" or the Debian package
}

// find returns the feature of that name. What is in neither list is a program of a package that is not known,
// or what only a test can tell.
func find(name string) feature {
	if f, ok := features[name]; ok {
		return f
	}
	return feature{func() bool { _, err := exec.LookPath(name); return err == nil }, packages[filepath.Base(name)]}
}

// packages are Debian's and Ubuntu's packages of programs.
var packages = map[string]string{
	"addr2line": "binutils", "dwp": "binutils", "objcopy": "binutils", "objdump": "binutils", "strip": "binutils",
	"bash": "bash", "dpkg-query": "dpkg", "dwz": "dwz", "g++": "g++", "gcc": "gcc", "gdb": "gdb", "java": "default-jre-headless", "javac": "default-jdk-headless", "jcmd": "default-jdk-headless", "make": "make", "pmap": "procps",
	"mariadb": "mariadb-client", "mariadb-install-db": "mariadb-server", "mariadbd": "mariadb-server", "initdb": "postgresql", "postgres": "postgresql", "psql": "postgresql-client",
	"R": "r-base-core", "chromium": "chromium", "firefox-esr": "firefox-esr", "erl": "erlang-base", "ghc": "ghc", "mono": "mono-runtime-sgen", "mcs": "mono-mcs", "jsc": "libjavascriptcoregtk-4.0-bin", "guile": "guile-3.0", "luajit": "luajit", "php": "php-cli", "ruby": "ruby", "sbcl": "sbcl",
	"musl-gcc": "musl-tools", "node": "nodejs", "python3": "python3", "redis-benchmark": "redis-tools", "redis-cli": "redis-tools",
	"redis-server": "redis-server", "script": "bsdutils", "setpriv": "util-linux", "strace": "strace", "tmux": "tmux", "unshare": "util-linux", "nsenter": "util-linux", "zstd": "zstd",
}

// features are what is no program of PATH.
var features = map[string]feature{
	"root": {func() bool { return os.Geteuid() == 0 }, "root"},
	// A program of PATH that may be a shim of rustup without a toolchain.
	"rustc": {hasRustc, "rustc"},
	// The debug file of the C library at hand, which is for exactly its build.
	"libc6-dbg": {hasDebugLibc, "libc6-dbg"},
	// ld links it; the programs of testdata give its functions other names.
	"libjemalloc.a":  {func() bool { return isThere("/usr/lib/x86_64-linux-gnu/libjemalloc*.a") }, "libjemalloc-dev"},
	"libjemalloc.so": {func() bool { return isThere("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2") }, "libjemalloc2"},
	"libmimalloc.so": {func() bool { return isThere("/usr/lib/x86_64-linux-gnu/libmimalloc.so.2") }, "libmimalloc2.0"},
	"libtcmalloc.so": {func() bool {
		return isThere("/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4") && isThere("/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.a")
	}, "libgoogle-perftools-dev"},
	"numpy": {func() bool { return isThere("/usr/lib/python3/dist-packages/numpy") }, "python3-numpy"},
	// DuckDB for node, which npm installs beside the program that uses it.
	"duckdb": {func() bool { return isThere("../../testdata/sql/node_modules/@duckdb/node-api") }, "npm ci --prefix testdata/sql"},
	// A process may trace its children: a container may forbid even that.
	"ptrace": {hasPtrace, "--cap-add=SYS_PTRACE"},
	// A process may trace others of its user: Documentation/admin-guide/LSM/Yama.rst.
	"attach": {hasAttach, "root"},
	// Perf events on the kernel's tracepoints, whose numbers are in tracefs.
	"sigtrap": {func() bool { return isThere("/sys/kernel/tracing/events/mmap_lock") }, "mount -t tracefs nodev /sys/kernel/tracing"},
	// A compiler of OCaml 5, which Debian 12 does not have: of PATH, or of a switch of opam.
	"ocaml 5": {func() bool { return OCaml5("ocamlc") != "" }, "opam switch create 5.2.0"},
	// What drives a browser, and judges how a page can be used without seeing it; as the tests of cmd/vmblame/e2e find it.
	"playwright-core": {func() bool { return isThere("../../../internal/html/web/node_modules/playwright-core") }, "npm --prefix internal/html/web ci"},
	"speedscope":      {func() bool { return isThere("../../../internal/html/web/node_modules/speedscope") }, "npm --prefix internal/html/web ci"},
	// A core file is written into the working folder.
	"core": {hasCore, "kernel.core_pattern=core"},
	// A cgroup whose memory is limited can be made: version 2, or 1.
	"memory cgroup": {hasMemoryCgroup, "root, and a cgroup file system that can be written to"},
	"hugetlb":       {hasHugePages, "vm.nr_hugepages=16"},
	// The kernel executes 32-bit programs: not every virtual machine lets it.
	"i386": {hasI386, ""},
	// What the traced programs find missing in the kernel (their line "lacks").
	"userfaultfd":     {nil, "root"},
	"perf_event_open": {nil, "root"},
}

// OCaml5 returns where a program of OCaml 5's is, "" for nowhere.
func OCaml5(name string) string {
	home, _ := os.UserHomeDir()
	switches, _ := filepath.Glob(filepath.Join(home, ".opam", "5*", "bin"))
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), switches...) {
		if out, err := exec.Command(filepath.Join(dir, "ocamlc"), "-version").Output(); err == nil && strings.HasPrefix(string(out), "5.") {
			if path := filepath.Join(dir, name); isThere(path) {
				return path
			}
		}
	}
	return ""
}

var hasRustc = sync.OnceValue(func() bool { return exec.Command("rustc", "--version").Run() == nil })

// isThere reports whether a file matches pattern (path/filepath.Match).
func isThere(pattern string) bool {
	list, _ := filepath.Glob(pattern)
	return len(list) > 0
}

// hasHugePages reports whether so many are free as a test takes.
func hasHugePages() bool {
	text, _ := os.ReadFile("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	return err == nil && n >= 12
}

// hasMemoryCgroup reports whether this process can make a cgroup whose memory can be limited.
func hasMemoryCgroup() bool {
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/memory"} {
		dir, err := os.MkdirTemp(root, "vmblame-testenv-")
		if err != nil {
			continue
		}
		has := isThere(dir+"/memory.max") || isThere(dir+"/memory.limit_in_bytes")
		if os.Remove(dir); has {
			return true
		}
	}
	return false
}

// hasCore reports whether the kernel writes core files of unlimited size into the working directory.
func hasCore() bool {
	text, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	var hard syscall.Rlimit
	return err == nil && strings.HasPrefix(string(text), "core") && syscall.Getrlimit(syscall.RLIMIT_CORE, &hard) == nil && hard.Max == 1<<64-1
}

// hasDebugLibc reports whether the separate debug file of the C library is installed, by its build id.
func hasDebugLibc() bool {
	for _, path := range []string{"/lib/x86_64-linux-gnu/libc.so.6", "/lib64/libc.so.6", "/usr/lib/libc.so.6"} {
		f, err := elf.Open(path)
		if err != nil {
			continue
		}
		defer f.Close()
		if s := f.Section(".note.gnu.build-id"); s != nil {
			if b, err := s.Data(); err == nil && len(b) > 17 { // 16 bytes: sizes, type and "GNU\0"
				id := hex.EncodeToString(b[16:])
				return isThere("/usr/lib/debug/.build-id/" + id[:2] + "/" + id[2:] + ".debug")
			}
		}
		return false
	}
	return false
}

var hasPtrace = sync.OnceValue(func() bool {
	cmd := exec.Command("/proc/self/exe", "-h")
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if cmd.Start() != nil {
		return false
	}
	// It stands at its first instruction.
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return true
})

// hasAttach reports whether this process may trace processes that it has not started.
func hasAttach() bool {
	scope, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
	return hasPtrace() && (err != nil || strings.TrimSpace(string(scope)) == "0" || os.Geteuid() == 0)
}

// hasI386 reports whether the smallest of 32-bit programs can be executed.
var hasI386 = sync.OnceValue(func() bool {
	const base = 0x8048000
	code := []byte{0xb8, 1, 0, 0, 0, 0x31, 0xdb, 0xcd, 0x80} // eax = 1 (exit); ebx = 0; int 0x80
	size := uint32(52 + 32 + len(code))
	var elf []byte
	elf = append(elf, 0x7f, 'E', 'L', 'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	for _, half := range []uint16{2, 3} { // ET_EXEC, EM_386
		elf = binary.LittleEndian.AppendUint16(elf, half)
	}
	for _, word := range []uint32{1, base + 52 + 32, 52, 0, 0} { // version, entry, program headers, section headers, flags
		elf = binary.LittleEndian.AppendUint32(elf, word)
	}
	for _, half := range []uint16{52, 32, 1, 0, 0, 0} { // sizes and numbers of headers
		elf = binary.LittleEndian.AppendUint16(elf, half)
	}
	for _, word := range []uint32{1, 0, base, base, size, size, 5, 0x1000} { // PT_LOAD of all of it, r-x
		elf = binary.LittleEndian.AppendUint32(elf, word)
	}
	dir, err := os.MkdirTemp("", "vmblame-i386-")
	if err != nil {
		return false
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "exits")
	return os.WriteFile(file, append(elf, code...), 0o700) == nil && exec.Command(file).Run() == nil
})
