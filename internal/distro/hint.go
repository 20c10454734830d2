package distro

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/elffile"
)

// File is a file that lacks names, as the traced program saw it.
type File struct {
	Path    string
	BuildID string // "" where it has none
	Here    bool   // the path on this machine is that very file, so that its package can be asked for
}

// Hints returns, for each file, what would provide its names: the command that installs its debug symbols if its package is known, else the debug file
// that is looked for.
func Hints(files []File) []string {
	family := family()
	var here []string
	for _, f := range files {
		if f.Here {
			here = append(here, f.Path)
		}
	}
	var packages map[string]string
	switch family {
	case "debian":
		packages = debianPackages(here)
	case "redhat":
		packages = rpmPackages(here)
	}
	var debug []string
	if family == "debian" {
		for _, p := range packages {
			debug = append(debug, debianDebug(p))
		}
		for _, l := range libraries() {
			debug = append(debug, l.debian)
		}
		debug = debianKnown(debug)
	}
	server := server()
	hints := make([]string, len(files))
	for i, f := range files {
		p := packages[f.Path]
		if !f.Here {
			p = ""
		}
		hints[i] = f.hint(family, p, debug, server)
	}
	return hints
}

// hint is what would give a file's names. debug are the packages with debug symbols that there are, of a debian; server
// is the distribution's debuginfod, "" where it has none.
func (f *File) hint(family, pkg string, debug []string, server string) string {
	library := knownLibrary(filepath.Base(f.Path))
	if pkg == "" && library != nil && family == "debian" {
		pkg = strings.TrimSuffix(strings.TrimSuffix(library.debian, "-dbgsym"), "-dbg")
	}
	switch {
	case pkg != "" && family == "debian":
		// All but a few packages of debug symbols are in an archive that is not always among a machine's sources.
		name := debianDebug(pkg)
		if library != nil && strings.HasPrefix(library.debian, pkg) {
			name = library.debian
		}
		switch {
		case slices.Contains(debug, name):
			return "apt-get install " + name
		case server != "" && f.BuildID != "":
			return FromServer + server
		}
	case pkg != "":
		return "debuginfo-install " + pkg
	case library != nil && family == "redhat":
		return "debuginfo-install " + library.redhat
	case library != nil && server != "" && f.BuildID != "":
		return FromServer + server
	case library != nil && family != "debian":
		return "apt-get install " + library.debian + " (Debian), debuginfo-install " + library.redhat + " (Fedora)"
	}
	if len(f.BuildID) > 2 {
		return "its debug file " + filepath.Join(elffile.DefaultDebugDir, ".build-id", f.BuildID[:2], f.BuildID[2:]+".debug") +
			", or one below --debug-dir, or --debuginfod"
	}
	return "a build that is not stripped (it has no build id by which a debug file could be found)"
}

// FromServer begins the hint of a file whose debug file the distribution's debuginfod server has: the URL follows.
const FromServer = "vmblame symbolize --debuginfod="

// server is the URL of the debuginfod server of this machine's distribution, "" where none is known
// (https://sourceware.org/elfutils/Debuginfod.html lists them).
func server() string {
	return map[string]string{
		"debian": "https://debuginfod.debian.net", "ubuntu": "https://debuginfod.ubuntu.com", "fedora": "https://debuginfod.fedoraproject.org",
		"centos": "https://debuginfod.centos.org", "arch": "https://debuginfod.archlinux.org", "opensuse-tumbleweed": "https://debuginfod.opensuse.org",
		"opensuse-leap": "https://debuginfod.opensuse.org", "void": "https://debuginfod.s.voidlinux.org",
	}[osRelease("ID")]
}

// osRelease is a value of os-release(5), "" where it has none.
func osRelease(name string) string {
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && key == name {
			return strings.Trim(value, `"'`)
		}
	}
	return ""
}

// family is "debian", "redhat" or "" by os-release(5).
func family() string {
	for _, id := range strings.Fields(osRelease("ID") + " " + osRelease("ID_LIKE")) {
		switch id {
		case "debian", "ubuntu":
			return "debian"
		case "fedora", "rhel", "centos", "suse", "opensuse":
			return "redhat"
		}
	}
	return ""
}

// A library is one that distributions name alike.
type library struct{ prefix, debian, redhat string }

func libraries() []library {
	return []library{
		{"libc.so.6", "libc6-dbg", "glibc"},
		{"libc-2.", "libc6-dbg", "glibc"},
		{"ld-linux-x86-64.so.2", "libc6-dbg", "glibc"},
		{"ld-2.", "libc6-dbg", "glibc"},
		{"libm.so.6", "libc6-dbg", "glibc"},
		{"libpthread.so.0", "libc6-dbg", "glibc"},
		{"libpthread-2.", "libc6-dbg", "glibc"},
		{"libdl.so.2", "libc6-dbg", "glibc"},
		{"librt.so.1", "libc6-dbg", "glibc"},
		{"libresolv.so.2", "libc6-dbg", "glibc"},
		{"libnss_", "libc6-dbg", "glibc"},
		{"libstdc++.so.6", "libstdc++6-dbgsym", "libstdc++"},
		{"libgcc_s.so.1", "libgcc-s1-dbgsym", "libgcc"},
		{"libz.so.1", "zlib1g-dbgsym", "zlib"},
		{"libssl.so.3", "libssl3-dbgsym", "openssl-libs"},
		{"libcrypto.so.3", "libssl3-dbgsym", "openssl-libs"},
		{"libsqlite3.so.0", "libsqlite3-0-dbgsym", "sqlite-libs"},
	}
}

// knownLibrary finds a library by the name of its file, nil for one that is not known.
func knownLibrary(base string) *library {
	for _, l := range libraries() {
		if strings.HasPrefix(base, l.prefix) {
			return &l
		}
	}
	return nil
}
