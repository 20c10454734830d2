package distro

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/vmblame/vmblame/internal/elffile"
)

// File is a file that lacks names, as the traced program saw it.
type File struct {
	Path    string
	BuildID string // "" where it has none
	Here    bool   // the path on this machine is that very file, so that its package can be asked for
}

// Hints says for each file, in a few words, what would give its names: the command that installs its debug symbols
// where its package is known, else the debug file that is looked for.
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
	hints := make([]string, len(files))
	for i, f := range files {
		p := packages[f.Path]
		if !f.Here {
			p = ""
		}
		hints[i] = f.hint(family, p)
	}
	return hints
}

func (f *File) hint(family, pkg string) string {
	known := knownLibrary(filepath.Base(f.Path))
	switch {
	case pkg != "" && family == "debian":
		return "apt-get install " + debianDebug(pkg)
	case pkg != "":
		return "debuginfo-install " + pkg
	case known != nil && family == "debian":
		return "apt-get install " + known.debian
	case known != nil && family == "redhat":
		return "debuginfo-install " + known.redhat
	case known != nil:
		return "apt-get install " + known.debian + " (Debian), debuginfo-install " + known.redhat + " (Fedora)"
	case len(f.BuildID) > 2:
		return "its debug file " + filepath.Join(elffile.DefaultDebugDir, ".build-id", f.BuildID[:2], f.BuildID[2:]+".debug") +
			", or one below --debug-dir, or --debuginfod"
	}
	return "a build that is not stripped (it has no build id by which a debug file could be found)"
}

// family is "debian", "redhat" or "" by os-release(5).
func family() string {
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if key != "ID" && key != "ID_LIKE" {
			continue
		}
		for _, id := range strings.Fields(strings.Trim(value, `"'`)) {
			switch id {
			case "debian", "ubuntu":
				return "debian"
			case "fedora", "rhel", "centos", "suse", "opensuse":
				return "redhat"
			}
		}
	}
	return ""
}

// A library is one that distributions name alike.
type library struct{ prefix, debian, redhat string }

// knownLibrary finds a library by the name of its file, nil for one that is not known.
func knownLibrary(base string) *library {
	for _, l := range []library{
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
	} {
		if strings.HasPrefix(base, l.prefix) {
			return &l
		}
	}
	return nil
}
