package distro

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// TestOneQuestion asks for the packages of many files at once, and holds the answers against dpkg's for each alone.
func TestOneQuestion(t *testing.T) {
	testenv.Need(t, "dpkg-query")
	files, err := filepath.Glob("/usr/bin/*")
	if err != nil || len(files) < 20 {
		t.Fatal(len(files), err)
	}
	files = slices.Concat(files, []string{"/nonexistent/file", "/usr/bin/*", "/usr/bin/[a", "/usr/bin/new\nline", "relative", "", "-f", "--version"})
	got := debianPackages(slices.DeleteFunc(slices.Clone(files), func(f string) bool { return f == "" }))
	for _, path := range []string{files[0], files[len(files)/2], "/usr/bin/gcc", "/usr/bin/dpkg-query"} {
		out, err := exec.Command("dpkg-query", "--search", path).Output()
		want, _, _ := strings.Cut(string(out), ":")
		if err != nil || strings.Contains(want, " ") {
			continue // a link, which the package owns by another name
		}
		if got[path] != want {
			t.Errorf("%s: %q, dpkg says %q", path, got[path], want)
		}
	}
	for _, path := range []string{"/nonexistent/file", "/usr/bin/*", "relative", "-f"} {
		if got[path] != "" {
			t.Errorf("%s: %q", path, got[path])
		}
	}
	if got["/usr/bin/dpkg-query"] != "dpkg" {
		t.Errorf("dpkg-query is of %q", got["/usr/bin/dpkg-query"])
	}
}

// TestQuestions counts what a package manager is asked for 1,500 files.
func TestQuestions(t *testing.T) {
	dir := t.TempDir()
	for name, answer := range map[string]string{
		"dpkg-query": `for a; do case $a in /*) echo "pkg:amd64: $a";; esac; done`,
		"rpm":        `for a; do case $a in /*) echo "name-${a##*/}";; esac; done`,
	} {
		script := fmt.Sprintf("#!/bin/sh\necho >>%s/asked.%s\n%s\n", dir, name, answer)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	var paths []string
	for i := range 1500 {
		paths = append(paths, fmt.Sprintf("/opt/lib%d.so", i))
	}
	if found := debianPackages(paths); len(found) != 1500 || found["/opt/lib7.so"] != "pkg" {
		t.Errorf("dpkg: %d packages", len(found))
	}
	if found := rpmPackages(paths); len(found) != 1500 {
		t.Errorf("rpm: %d packages", len(found))
	}
	for name, most := range map[string]int{"dpkg-query": 2, "rpm": 1} {
		b, err := os.ReadFile(filepath.Join(dir, "asked."+name))
		if err != nil || len(b) > most {
			t.Errorf("%s was asked %d times, %v", name, len(b), err)
		}
	}
}

func TestParse(t *testing.T) {
	owners := make(map[string]string)
	parseDpkg("libc6:amd64: /lib/libc.so.6\ngcc-12: /usr/bin/gcc-12\na, b: /usr/share\ndiversion by dash from: /bin/sh\nnothing\ncut: /usr/bin/c", owners)
	if want := map[string]string{"/lib/libc.so.6": "libc6", "/usr/bin/gcc-12": "gcc-12", "/usr/bin/c": "cut"}; !maps.Equal(owners, want) {
		t.Errorf("%v, want %v", owners, want)
	}
	found := make(map[string]string)
	parseRPM("glibc\nfile /x is not owned by any package\nbash\n", []string{"/a", "/x", "/b"}, found)
	parseRPM("one\ntwo\n", []string{"/c"}, found)
	if want := map[string]string{"/a": "glibc", "/b": "bash"}; !maps.Equal(found, want) {
		t.Errorf("%v, want %v", found, want)
	}
}

// TestHint: a package only where there is one, else the distribution's server where that is known.
func TestHint(t *testing.T) {
	debug := []string{"libc6-dbg"}
	const server = "https://debuginfod.example"
	for _, c := range []struct {
		file           File
		family, pkg    string
		server, expect string
	}{
		{File{"/lib/libc.so.6", "ab12", true}, "debian", "libc6", server, "apt-get install libc6-dbg"},
		{File{"/lib/libc.so.6", "ab12", false}, "debian", "", server, "apt-get install libc6-dbg"},
		{File{"/usr/bin/python3.11", "ab12", true}, "debian", "python3.11-minimal", server, FromServer + server},
		{File{"/usr/bin/python3.11", "ab12", true}, "debian", "python3.11-minimal", "", "its debug file /usr/lib/debug/.build-id/ab/12.debug, or one below --debug-dir, or --debuginfod"},
		{File{"/usr/lib/libz.so.1", "ab12", false}, "debian", "", server, FromServer + server},
		{File{"/srv/x", "ab12", true}, "debian", "", server, "its debug file /usr/lib/debug/.build-id/ab/12.debug, or one below --debug-dir, or --debuginfod"},
		{File{"/srv/x", "", true}, "debian", "", server, "a build that is not stripped (it has no build id by which a debug file could be found)"},
		{File{"/usr/bin/bash", "ab12", true}, "redhat", "bash", server, "debuginfo-install bash"},
		{File{"/lib/libc.so.6", "ab12", false}, "", "", "", "apt-get install libc6-dbg (Debian), debuginfo-install glibc (Fedora)"},
	} {
		if got := c.file.hint(c.family, c.pkg, debug, c.server); got != c.expect {
			t.Errorf("%+v: %q", c, got)
		}
	}
	if got := parseAptCache("Package: a\nVersion: 1\n\nPackage: b-dbgsym\nDepends: c\n"); !slices.Equal(got, []string{"a", "b-dbgsym"}) {
		t.Errorf("apt-cache: %q", got)
	}
}

// FuzzPackages reads any output of a package manager.
func FuzzPackages(f *testing.F) {
	f.Add("libc6:amd64: /lib/libc.so.6\na, b: /usr/share\n", "/lib/libc.so.6")
	f.Fuzz(func(t *testing.T, text, path string) {
		owners := make(map[string]string)
		parseDpkg(text, owners)
		parseRPM(text, []string{path, path}, owners)
		for _, name := range owners {
			if strings.ContainsAny(name, " \n") {
				t.Errorf("%q is no package", name)
			}
		}
	})
}
