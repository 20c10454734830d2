package distro

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// atOnce is how many paths one command is given: its arguments are bounded (execve(2)).
	atOnce = 2000
	// patience bounds one command, asked for one file or for many.
	patience = 20 * time.Second
)

// ask runs a query of a package manager and returns its output. It is no failure that some paths belong to no package.
func ask(name string, args ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, _ := cmd.Output()
	return string(out)
}

// debianPackages asks dpkg whose files paths are. Where /lib is a link to /usr/lib the package may have installed a
// file under either name.
func debianPackages(paths []string) map[string]string {
	names := make(map[string][]string) // by path
	var all []string
	for _, path := range paths {
		if names[path] != nil {
			continue
		}
		list := []string{path}
		if real, err := filepath.EvalSymlinks(path); err == nil && real != path {
			list = append(list, real)
		}
		for _, n := range list {
			if rest, ok := strings.CutPrefix(n, "/usr/"); ok {
				list = append(list, "/"+rest)
			} else {
				list = append(list, "/usr"+n)
			}
		}
		// dpkg takes what has these for a pattern, and lines are ended by the other.
		names[path] = slices.DeleteFunc(list, func(n string) bool { return n[0] != '/' || strings.ContainsAny(n, "*?[\\\n") })
		all = append(all, names[path]...)
	}
	owners := make(map[string]string)
	for part := range slices.Chunk(all, atOnce) {
		parseDpkg(ask("dpkg-query", append([]string{"--search", "--"}, part...)...), owners)
	}
	found := make(map[string]string)
	for path, list := range names {
		for _, n := range list {
			if p := owners[n]; p != "" && found[path] == "" {
				found[path] = p
			}
		}
	}
	return found
}

// parseDpkg reads lines "package:arch: path"; one of several packages ("a, b: path") is no answer, nor is what diverts a
// file ("diversion by a from: path").
func parseDpkg(text string, owners map[string]string) {
	for line := range strings.Lines(text) {
		p, path, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		if ok && !strings.Contains(p, " ") {
			owners[path], _, _ = strings.Cut(p, ":")
		}
	}
}

// debianDebug is the package with the debug symbols of a package's files. All but a few are in an archive
// of their own (https://wiki.debian.org/AutomaticDebugPackages).
func debianDebug(pkg string) string {
	if pkg == "libc6" {
		return "libc6-dbg"
	}
	return pkg + "-dbgsym"
}

// debianKnown is which of some packages of debug symbols apt can install here. Those of the main archive are there; the
// automatic ones (-dbgsym) have an archive of their own, which few machines have among their sources: only then apt is
// asked, which takes a second.
func debianKnown(names []string) []string {
	slices.Sort(names)
	names = slices.Compact(names)
	automatic := func(name string) bool { return strings.HasSuffix(name, "-dbgsym") }
	known := slices.DeleteFunc(slices.Clone(names), automatic)
	names = slices.DeleteFunc(names, func(name string) bool { return !automatic(name) })
	lists, _ := filepath.Glob("/var/lib/apt/lists/*_Packages*")
	if !slices.ContainsFunc(lists, func(name string) bool { return strings.Contains(name, "debug") || strings.Contains(name, "ddebs") }) {
		return known
	}
	for part := range slices.Chunk(names, atOnce) {
		known = append(known, parseAptCache(ask("apt-cache", append([]string{"show", "--no-all-versions"}, part...)...))...)
	}
	return known
}

// parseAptCache reads the names of the packages of a list of records.
func parseAptCache(text string) (names []string) {
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(line, "Package: "); ok {
			names = append(names, strings.TrimSpace(name))
		}
	}
	return names
}

// rpmPackages asks rpm whose files paths are. It answers a line for each path.
func rpmPackages(paths []string) map[string]string {
	found := make(map[string]string)
	paths = slices.DeleteFunc(slices.Clone(paths), func(p string) bool { return !filepath.IsAbs(p) || strings.Contains(p, "\n") })
	for part := range slices.Chunk(paths, atOnce) {
		args := []string{"-q", "--qf", "%{NAME}\n"}
		for _, p := range part {
			args = append(args, "-f", p)
		}
		parseRPM(ask("rpm", args...), part, found)
	}
	return found
}

// parseRPM reads a line for each of the paths: a package's name, or a sentence where it has none. Where there are other
// lines, of a file in two packages, say, which is whose cannot be told.
func parseRPM(text string, paths []string, found map[string]string) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) != len(paths) {
		return
	}
	for i, name := range lines {
		if name != "" && !strings.Contains(name, " ") {
			found[paths[i]] = name
		}
	}
}
