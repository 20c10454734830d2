package testenv

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// What is built for tests stays from one run to the next, in testdata/build/kept of the checkout, as make and go leave alone
// what is up to date. Where CI is set, and where the checkout cannot be written to, each package builds its own.

// keepFor is how long something is kept that no test asks for.
const keepFor = 3 * 24 * time.Hour

// kept is the folder of what is kept, "" for none.
var kept = sync.OnceValue(func() string {
	if ci {
		return ""
	}
	// By user: what root has built nobody else can build anew.
	dir := filepath.Join(root(), "testdata", "build", "kept", strconv.Itoa(os.Getuid()))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return ""
	}
	list, _ := filepath.Glob(filepath.Join(dir, "*", used))
	for _, path := range list {
		if st, err := os.Stat(path); err == nil && time.Since(st.ModTime()) > keepFor {
			_ = os.RemoveAll(filepath.Dir(path))
		}
	}
	return dir
})

// used is a file of a folder that is kept: it is there when the folder is whole, and its time is when it was last asked for.
const used = ".used"

// root is the folder of go.mod, above the one in which the tests of a package run.
func root() string {
	dir, err := os.Getwd()
	for ; err == nil && dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	return dir
}

// keep calls build, while no other process does for the same name and tools, with a folder that is kept: whole says that it was
// built already. A build that fails leaves it as not whole.
func keep(name string, build func(dir string, whole bool) error) error {
	dir := filepath.Join(kept(), name+"-"+tools())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	lock, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", dir, err)
	}
	_, err = os.Stat(filepath.Join(dir, used))
	if err := build(dir, err == nil); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, used), nil, 0o644)
}

// tools is a digest of what compiles and links: of the programs, and of when the system's packages changed last.
var tools = sync.OnceValue(func() string {
	sum := sha256.New()
	paths := []string{"/var/lib/dpkg/status", "/var/lib/rpm", "/usr/lib/sysimage/rpm", "/var/lib/pacman/local", "/lib/apk/db/installed", "/etc/ld.so.cache"}
	for _, name := range []string{"gcc", "g++", "musl-gcc", "rustc", "go", "as", "ld", "objcopy"} {
		path, _ := exec.LookPath(name)
		path, _ = filepath.EvalSymlinks(path)
		paths = append(paths, path)
	}
	for _, path := range paths {
		if st, err := os.Stat(path); err == nil {
			fmt.Fprintln(sum, path, st.Size(), st.ModTime().UnixNano())
		}
	}
	fmt.Fprintln(sum, os.Getenv("GOFLAGS"))
	return digest(sum)
})

func digest(sum hash.Hash) string { return hex.EncodeToString(sum.Sum(nil)[:8]) }

// sources is a digest of where the package is and of the files of its testdata, but the inputs of fuzz targets.
var sources = sync.OnceValue(func() string {
	sum := sha256.New()
	dir, _ := filepath.Abs("testdata")
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "fuzz" {
			return filepath.SkipDir
		}
		if d.Type().IsRegular() {
			text, err := os.ReadFile(path)
			fmt.Fprintf(sum, "%s %v %x\n", path, err, sha256.Sum256(text))
		}
		return nil
	})
	return digest(sum)
})

// Kept is Built for what is made of the package's testdata alone, by compilers, and so is the same in every run. Each run has copies:
// some tests strip what they have.
func Kept(t testing.TB, name, key string, build func(path string)) string {
	t.Helper()
	if kept() == "" || strings.Contains(key, Shared(t)) { // which is made of something of this run
		return Built(t, name, key, build)
	}
	return Built(t, name, key, func(path string) {
		t.Helper()
		sum := sha256.New()
		fmt.Fprintf(sum, "%s of %s\n%s", name, key, sources())
		err := keep(digest(sum), func(dir string, whole bool) error {
			if !whole {
				build(filepath.Join(dir, name))
			}
			return copyTo(filepath.Dir(path), dir+"/.")
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// Rebuilt is Kept for what is made of sources of Go: each run calls build, which finds there what the last one made.
func Rebuilt(t testing.TB, name string, build func(path string)) string {
	t.Helper()
	if kept() == "" {
		return Built(t, name, "", build)
	}
	building.Lock()
	defer building.Unlock()
	to := filepath.Join(Shared(t), name)
	if _, err := os.Stat(to); err == nil {
		return to
	}
	err := keep(name, func(dir string, _ bool) error {
		build(filepath.Join(dir, name))
		return copyTo(Shared(t), filepath.Join(dir, name))
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// Programs makes programs of testdata/progs in dir, all of them where none is named.
func Programs(dir string, names ...string) error {
	if kept() == "" {
		return makePrograms(dir, names)
	}
	sum := sha256.New()
	headers, _ := filepath.Glob(filepath.Join(root(), "testdata", "progs", "*.h")) // some are not in the rules of all programs
	for _, path := range append(headers, filepath.Join(root(), "testdata", "Makefile")) {
		text, err := os.ReadFile(path)
		fmt.Fprintf(sum, "%s %v %x\n", path, err, sha256.Sum256(text))
	}
	return keep("programs-"+digest(sum), func(from string, _ bool) error {
		if err := makePrograms(from, names); err != nil {
			return err
		}
		// Each package has copies of its own: tests move and change what they run.
		list := []string{from + "/."}
		if len(names) > 0 {
			list, _ = filepath.Glob(filepath.Join(from, "*.so")) // which programs look for beside themselves
			for _, name := range names {
				list = append(list, filepath.Join(from, name))
			}
		}
		return copyTo(dir, list...)
	})
}

func makePrograms(dir string, names []string) error {
	return command(append([]string{"make", "-s", "-j2", "-C", filepath.Join(root(), "testdata"), "OUT=" + dir}, names...)...)
}

// Executable builds vmblame in dir, of the version "test", and returns where it is.
func Executable(dir string) (string, error) {
	path := filepath.Join(dir, "vmblame")
	if kept() == "" {
		return path, buildExecutable(path)
	}
	return path, keep("vmblame", func(built string, _ bool) error {
		from := filepath.Join(built, "vmblame")
		if err := buildExecutable(from); err != nil {
			return err
		}
		return copyTo(dir, from)
	})
}

func buildExecutable(path string) error {
	return command("go", "build", "-C", root(), "-buildvcs=false", "-ldflags=-E vmblame_entry -X main.version=test", "-o", path, "./cmd/vmblame")
}

// command runs what builds without cgo, as `make build` does.
func command(argv ...string) error {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w\n%s", argv, err, out)
	}
	return nil
}

// copyTo copies files, or what is in folders, by a program: were a file that is written open in this process, a child that it
// starts meanwhile would have it, too, and the file could not be executed (ETXTBSY). What is there already, and may run, is left alone.
func copyTo(dir string, paths ...string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return command(append(append([]string{"cp", "-au"}, paths...), dir)...)
}
