package openfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, to, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}

// read returns what stands in f, "" where opening failed.
func read(t *testing.T, f *os.File, err error) string {
	t.Helper()
	if err != nil {
		return ""
	}
	defer f.Close()
	b := make([]byte, 100)
	n, _ := f.Read(b)
	return string(b[:n])
}

// TestRefused opens what is no regular file: it must neither wait nor open it.
func TestRefused(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "socket")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: socket}); err != nil {
		t.Fatal(err)
	}
	link(t, fifo, filepath.Join(dir, "link"))
	for _, path := range []string{fifo, socket, filepath.Join(dir, "link"), dir, "/dev/zero", "/dev/tty"} {
		if f, err := Regular(path); !errors.Is(err, ErrNotRegular) {
			t.Errorf("%s: %v, %v", path, f, err)
		}
		if f, err := Under("/", path); !errors.Is(err, ErrNotRegular) {
			t.Errorf("%s below /: %v, %v", path, f, err)
		}
	}
	if _, err := Regular(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	sparse := filepath.Join(dir, "sparse")
	write(t, sparse, "")
	if err := os.Truncate(sparse, maxSize+1); err == nil {
		if _, err := Regular(sparse); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%d bytes: %v", int64(maxSize)+1, err)
		}
	}
}

// TestUnder follows names as a process does whose root is a directory of ours.
func TestUnder(t *testing.T) {
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	write(t, filepath.Join(root, "usr/lib/libc.so"), "inner")
	write(t, filepath.Join(dir, "libc.so"), "outer")
	link(t, "/usr/lib", filepath.Join(root, "lib")) // absolute, as the process sees it
	link(t, "../../../../../../libc.so", filepath.Join(root, "up"))
	link(t, filepath.Join(dir, "libc.so"), filepath.Join(root, "out"))
	for path, want := range map[string]string{
		"/usr/lib/libc.so": "inner", "usr/lib/libc.so": "inner", "/lib/libc.so": "inner", "/lib/../lib/libc.so": "inner",
		"/../../../../libc.so": "", "/up": "", "/out": "", "/none": "",
	} {
		f, err := Under(root, path)
		if got := read(t, f, err); got != want {
			t.Errorf("%s: %q (%v), want %q", path, got, err, want)
		}
	}
	if f, err := UnderNoLink(root, "/usr/lib/libc.so"); read(t, f, err) != "inner" {
		t.Error(err)
	}
	link(t, "libc.so", filepath.Join(root, "usr/lib/alias"))
	if f, err := UnderNoLink(root, "/usr/lib/alias"); !errors.Is(err, ErrNotRegular) {
		t.Errorf("a link: %v, %v", f, err)
	}
}

// TestDescriptors expects the file to be the only thing that is left open, and not for programs that are started.
func TestDescriptors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "text")
	count := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	before := count()
	f, err := Under("/", path)
	if err != nil {
		t.Fatal(err)
	}
	if n := count(); n != before+1 {
		t.Errorf("%d descriptors more", n-before)
	}
	flags, _, _ := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), syscall.F_GETFD, 0)
	if flags&syscall.FD_CLOEXEC == 0 {
		t.Error("programs would inherit it")
	}
	f.Close()
	if n := count(); n != before {
		t.Errorf("%d descriptors are left", n-before)
	}
}
