package symbolize

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/vmblame/vmblame/internal/elffile"
)

// Supplier says in a few words what would give the names that a file lacks: the command that installs its
// debug symbols where its package is known, else the debug file that is looked for. path is the file as
// the traced program saw it, buildID "" where it has none; here reports that path on this machine is that
// very file, so that its package can be asked for.
func Supplier(path, buildID string, here bool) string {
	family := distribution()
	if here {
		switch {
		case family == "debian":
			if p := debianPackage(path); p != "" {
				return "apt-get install " + debianDebug(p)
			}
		case family == "redhat":
			if p := rpmPackage(path); p != "" {
				return "debuginfo-install " + p
			}
		}
	}
	if s := knownLibrary(filepath.Base(path)); s != nil {
		switch family {
		case "debian":
			return "apt-get install " + s.debian
		case "redhat":
			return "debuginfo-install " + s.redhat
		}
		return "apt-get install " + s.debian + " (Debian), debuginfo-install " + s.redhat + " (Fedora)"
	}
	if len(buildID) > 2 {
		return "its debug file " + filepath.Join(elffile.DefaultDebugDir, ".build-id", buildID[:2], buildID[2:]+".debug") +
			", or one below --debug-dir, or --debuginfod"
	}
	return "a build that is not stripped (it has no build id by which a debug file could be found)"
}

// distribution is "debian", "redhat" or "" by os-release(5).
func distribution() string {
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

// ask runs a package manager's query and returns its first line.
func ask(name string, args ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	line, _, _ := bytes.Cut(out, []byte("\n"))
	return string(line)
}

// debianPackage asks dpkg whose file path is. Where /lib is a link to /usr/lib the package may have
// installed it under either name.
func debianPackage(path string) string {
	names := []string{path}
	if real, err := filepath.EvalSymlinks(path); err == nil && real != path {
		names = append(names, real)
	}
	for _, n := range names {
		if rest, ok := strings.CutPrefix(n, "/usr/"); ok {
			names = append(names, "/"+rest)
		} else {
			names = append(names, "/usr"+n)
		}
	}
	for _, n := range names {
		p, file, ok := strings.Cut(ask("dpkg-query", "--search", n), ": ")
		if ok && file == n && !strings.Contains(p, " ") {
			p, _, _ = strings.Cut(p, ":")
			return p
		}
	}
	return ""
}

// debianDebug is the package with the debug symbols of a package's files. All but a few are in an archive
// of their own (https://wiki.debian.org/AutomaticDebugPackages).
func debianDebug(pkg string) string {
	if pkg == "libc6" {
		return "libc6-dbg"
	}
	return pkg + "-dbgsym"
}

func rpmPackage(path string) string { return ask("rpm", "-q", "--qf", "%{NAME}\n", "-f", path) }

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
