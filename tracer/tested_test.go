package tracer

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestTested: self-tests of several builds are remembered, the newest of this boot, and no file of others is believed or waited for.
func TestTested(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tested")
	for build := range mostTested + 2 {
		readTested(path).add(fmt.Sprintf("boot %d", build), 7)
	}
	readTested(path).add("boot 5", 9)
	for build := range mostTested + 2 {
		cost, known := readTested(path).find(fmt.Sprintf("boot %d", build))
		if known != (build > 1) || known && cost != 7 && build != 5 || build == 5 && cost != 9 {
			t.Errorf("build %d: %d, %v", build, cost, known)
		}
	}
	if n := len(readTested(path).lines); n != mostTested {
		t.Errorf("%d are remembered", n)
	}
	readTested(path).add("later 1", 7)
	if list := readTested(path).lines; !slices.Equal(list, []string{"later 1 7"}) {
		t.Errorf("after the next boot: %q", list)
	}
	if err := os.WriteFile(path, []byte("later\n1 2\ntrue true\n35047\nlater 2 x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, known := readTested(path).find("later 2"); known {
		t.Error("what is no number is believed")
	}

	link := path + ".link"
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	fifo := path + ".fifo"
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{link, fifo, path + ".missing", ""} {
		if list := readTested(other).lines; len(list) != 0 {
			t.Errorf("%s: %q", other, list)
		}
	}
	nowhere := readTested("")
	nowhere.add("later 1", 7)
	if _, known := nowhere.find(""); known {
		t.Error("nothing is known to be valid")
	}
}

// TestOwnBuild: this executable is known by what the go command calls its build.
func TestOwnBuild(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "tool", "buildid", exe).Output()
	if want := strings.TrimSpace(string(out)); err != nil || want == "" || ownBuild() != want {
		t.Errorf("%q, the go command says %q, %v", ownBuild(), want, err)
	}
	for _, head := range []string{"", "\x04\x00\x00\x00Go\x00\x00", "\x04\x00\x00\x00\xff\xff\xff\xff\x04\x00\x00\x00Go\x00\x00id"} {
		if id := goBuildID([]byte(head)); id != "" {
			t.Errorf("%q has %q", head, id)
		}
	}
}
