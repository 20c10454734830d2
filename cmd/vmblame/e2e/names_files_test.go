package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/testenv"
)

// TestUnloadedLibraries: a library keeps its names when it is deleted or replaced before its code has run,
// and when it was unloaded; what is written into its file afterwards names nothing of the old code.
func TestUnloadedLibraries(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "root", "setpriv")
	program := prog(t, "loads")
	for _, user := range []int{0, 65534} {
		dir := t.TempDir()
		lib := func(name, fn, length string) string {
			path := filepath.Join(dir, name)
			library(t, path, fn, length)
			if err := os.Chown(path, user, user); err != nil {
				t.Fatal(err)
			}
			return path
		}
		gone, first, second := lib("gone.so", "gone_maps", "0x21000"), lib("first.so", "first_maps", "0x22000"), lib("second.so", "second_maps", "0x23000")
		old, other := lib("old.so", "old_maps", "0x24000"), lib("other.so", "other_maps", "0x25000")
		n := recordAs(t, user, dir, program,
			"open="+gone, "unlink="+gone, "call=gone_maps", "close",
			"open="+first, "rename="+second+":"+first, "call=first_maps", "close",
			"open="+first, "call=second_maps", "close",
			"open="+old, "call=old_maps", "close", "copy="+other+":"+old,
			"open="+old, "call=other_maps", "close")
		for length, want := range map[uint64]string{0x21000: "gone_maps", 0x22000: "first_maps", 0x23000: "second_maps", 0x25000: "other_maps"} {
			frames := n.mapped(t, length)
			if !slices.Contains(called(frames), want) {
				t.Errorf("user %d: %v, want %s", user, called(frames), want)
			}
			for _, f := range frames {
				if name := f.function(); strings.HasSuffix(name, "_maps") && name != want {
					t.Errorf("user %d: %s: named %s", user, want, name)
				}
			}
		}
		for _, f := range n.mapped(t, 0x24000) {
			if name := f.function(); strings.HasSuffix(name, "_maps") && name != "old_maps" {
				t.Errorf("user %d: a frame of old_maps is named %s by what was written into its file", user, name)
			}
		}
	}
}

// recordAs records a program in dir as another user: one who may not look at /proc/PID/map_files, say.
func recordAs(t *testing.T, user int, dir string, argv ...string) *namedLog {
	t.Helper()
	makePublic(t, dir)
	if err := os.Chmod(filepath.Dir(built.vmblame), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, user, user); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "log.jsonl")
	args := append([]string{built.vmblame, "run", "-q", "-o", log, "--"}, argv...)
	o := startAs(t, user, dir, filepath.Join(dir, "account"), args...)
	if o.status != "exit status 0" {
		t.Fatalf("user %d: %s: %s", user, o.status, o.stderr)
	}
	return readNames(t, log)
}

// alterBuildID changes the build id in an ELF file's bytes.
func alterBuildID(t *testing.T, b []byte) {
	t.Helper()
	note := []byte("\x04\x00\x00\x00\x14\x00\x00\x00\x03\x00\x00\x00GNU\x00")
	i := strings.Index(string(b), string(note))
	if i < 0 {
		t.Fatal("no build id of 20 bytes")
	}
	for k := range 20 {
		b[i+len(note)+k] ^= 0x5a
	}
}

// libcPath is the C library that programs of this machine run with.
func libcPath(t *testing.T) string {
	t.Helper()
	for _, p := range []string{"/lib/x86_64-linux-gnu/libc.so.6", "/lib64/libc.so.6", "/usr/lib/libc.so.6"} {
		if real, err := filepath.EvalSymlinks(p); err == nil {
			return real
		}
	}
	t.Fatal("no libc.so.6")
	return ""
}

// libcs lists the modules of a log that are a libc, by build id.
func (n *namedLog) libcs() map[string]string {
	ids := make(map[string]string)
	for _, m := range n.modules {
		if filepath.Base(m.Path) == "libc.so.6" && m.BuildID != nil {
			ids[*m.BuildID] = m.Path
		}
	}
	return ids
}

// libcSources counts the sources of the names of the libc of that build.
func (n *namedLog) libcSources(id string) map[string]int {
	sources := make(map[string]int)
	for p, s := range n.symbols {
		if m := n.modules[p.module]; m.BuildID != nil && *m.BuildID == id {
			sources[s.Source]++
		}
	}
	return sources
}

// TestOtherLibc runs a program with a libc of another build at the usual path: in a chroot, with that build's
// own debug file and without, and in a mount namespace by a bind mount and by an overlay. The debug file of
// this machine's libc has nothing to say about it.
func TestOtherLibc(t *testing.T) {
	testenv.Need(t, "root", "unshare", "libc6-dbg")
	libc := libcPath(t)
	loader, err := filepath.EvalSymlinks("/lib64/ld-linux-x86-64.so.2")
	if err != nil {
		t.Fatal(err)
	}
	ours := buildID(t, libc)
	debugName := func(root, id string) string {
		return filepath.Join(root, "/usr/lib/debug/.build-id", id[:2], id[2:]+".debug")
	}
	dir := t.TempDir()
	altered := filepath.Join(dir, "altered", filepath.Base(libc))
	copyFile(t, libc, altered, func(b []byte) { alterBuildID(t, b) })
	theirs := buildID(t, altered)
	program := filepath.Join(dir, "program")
	source := filepath.Join(dir, "program.c")
	if err := os.WriteFile(source, []byte("#include <stdlib.h>\nint main(void) { char *p = malloc(1 << 20); return !p; }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	command(t, "gcc", "-O1", "-fno-builtin", "-o", program, source)

	root := filepath.Join(dir, "root")
	copyFile(t, altered, filepath.Join(root, libc), nil)
	copyFile(t, loader, filepath.Join(root, "lib64/ld-linux-x86-64.so.2"), nil)
	copyFile(t, program, filepath.Join(root, "program"), nil)
	if err := os.MkdirAll(filepath.Join(root, "lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Dir(libc), filepath.Join(root, "lib/x86_64-linux-gnu")); err != nil {
		t.Fatal(err)
	}
	check := func(name string, dwarf bool, argv ...string) {
		t.Helper()
		n, o := recordNames(t, nil, argv...)
		if o.status != "exit status 0" {
			t.Fatalf("%s: %s: %s", name, o.status, o.stderr)
		}
		got := n.libcSources(theirs)
		if (got["dwarf"] > 0) != dwarf || got["dynsym"]+got["dwarf"] == 0 {
			t.Errorf("%s: names of the other libc come from %v; libcs: %v", name, got, n.libcs())
		}
		if argv[0] == "unshare" && n.libcSources(ours)["dwarf"] == 0 {
			t.Errorf("%s: this machine's libc ran too; its names come from %v; libcs: %v", name, n.libcSources(ours), n.libcs())
		}
	}
	check("chroot", false, "chroot", root, "/program")
	copyFile(t, debugName("/", ours), debugName(root, theirs), func(b []byte) { alterBuildID(t, b) })
	check("chroot with a debug file", true, "chroot", root, "/program")
	check("bind mount", false, "unshare", "--mount", "sh", "-c", "mount --bind "+altered+" "+libc+" && exec "+program)
	overlay := filepath.Join(dir, "overlay")
	for _, d := range []string{"upper", "work", "space"} {
		if err := os.MkdirAll(filepath.Join(overlay, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	check("overlay", false, "unshare", "--mount", "sh", "-c", "cd "+overlay+" && mount -t tmpfs tmpfs space && mkdir space/upper space/work && "+
		"mount -t overlay overlay -o lowerdir="+filepath.Dir(altered)+":"+filepath.Dir(libc)+",upperdir=space/upper,workdir=space/work "+filepath.Dir(libc)+" && exec "+program)
}

func buildID(t *testing.T, path string) string {
	t.Helper()
	f, err := elffile.OpenPath(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return f.BuildID()
}

// startAs is start as another user.
func startAs(t *testing.T, user int, dir, account string, argv ...string) outcome {
	t.Helper()
	flags := []string{"--reuid", strconv.Itoa(user), "--regid", strconv.Itoa(user), "--clear-groups"}
	return start(t, dir, account, append(append([]string{"setpriv"}, flags...), argv...)...)
}

// TestMemfd: functions of a program that was executed from a memfd are named, whether vmblame runs as root or not.
func TestMemfd(t *testing.T) {
	testenv.Need(t, "root", "setpriv", "/usr/bin/python3")
	for _, user := range []int{0, 65534} {
		dir := t.TempDir()
		source, program := filepath.Join(dir, "p.c"), filepath.Join(dir, "p")
		text := "#include <sys/mman.h>\nint main(void) { void *p = mmap(0, 0x51000, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); return p == MAP_FAILED; }\n"
		if err := os.WriteFile(source, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		command(t, "gcc", "-O1", "-g", "-o", program, source)
		n := recordAs(t, user, dir, "/usr/bin/python3", "-c", "import os\nfd = os.memfd_create('held', 0)\n"+
			"os.write(fd, open('"+program+"', 'rb').read())\nos.execve('/proc/self/fd/%d' % fd, ['p'], os.environ)")
		frames := in(n.mapped(t, 0x51000), "memfd:held")
		if len(frames) != 2 || frames[0].function() != "main" || frames[0].symbol.Source != "dwarf" || frames[1].function() != "_start" {
			t.Errorf("user %d: %q in %q", user, called(frames), called(n.mapped(t, 0x51000)))
		}
	}
}
