package tracer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// mostTested bounds the builds of vmblame whose self-tests are remembered, and largestTested the bytes of the file.
const mostTested, largestTested = 16, 16 << 10

// tested is a list of successful self-tests in a file, the newest first: the conditions for which each is valid, and
// what a stop cost. Several processes may write the file: the last one wins, and a test that another has added
// meanwhile is repeated.
type tested struct {
	path  string // "" for nowhere
	lines []string
}

// testedFile is where successes of the self-test are kept: root's in /run, those of others in their private runtime
// directory; "" for nowhere.
func testedFile() string {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if os.Geteuid() == 0 {
		dir = "/run"
	}
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, "vmblame-sigtrap")
}

// readTested reads the list, which is empty where it is not a regular file of this user.
func readTested(path string) *tested {
	t := &tested{path: path}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return t
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() || int(st.Sys().(*syscall.Stat_t).Uid) != os.Geteuid() {
		return t
	}
	if text, err := io.ReadAll(io.LimitReader(f, largestTested)); err == nil {
		t.lines = strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	}
	return t
}

// find returns the cost of a stop from a successful self-test that is valid under the conditions with; known is false
// if there is none.
func (t *tested) find(with string) (cost time.Duration, known bool) {
	for _, line := range t.lines {
		if ns, same := strings.CutPrefix(line, with+" "); same && with != "" {
			n, err := strconv.ParseInt(ns, 10, 64)
			return time.Duration(n), err == nil
		}
	}
	return 0, false
}

// add writes a success at the head of the list. Those of another boot are left out.
func (t *tested) add(with string, cost time.Duration) {
	if t.path == "" || with == "" {
		return
	}
	boot, _, _ := strings.Cut(with, " ")
	t.lines = slices.DeleteFunc(t.lines, func(line string) bool { return !strings.HasPrefix(line, boot+" ") || strings.HasPrefix(line, with+" ") })
	t.lines = slices.Insert(t.lines, 0, fmt.Sprintf("%s %d", with, cost))
	t.lines = t.lines[:min(len(t.lines), mostTested)]
	fresh := fmt.Sprintf("%s.%d", t.path, os.Getpid())
	if err := os.WriteFile(fresh, []byte(strings.Join(t.lines, "\n")+"\n"), 0o600); err == nil {
		_ = os.Rename(fresh, t.path)
	}
}

// testedWith returns the conditions under which a success is valid: this boot, this build and these privileges,
// separated by blanks. It is "" if one of them is unknown.
func testedWith() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	id := ownBuild()
	if err != nil || id == "" {
		return ""
	}
	paranoid, _ := os.ReadFile("/proc/sys/kernel/perf_event_paranoid")
	return fmt.Sprintf("%s %s %s %v %v", bytes.TrimSpace(boot), id, bytes.TrimSpace(paranoid), HasCapability(unix.CAP_PERFMON), HasCapability(unix.CAP_SYS_ADMIN))
}

// ownBuild is the Go build id of this executable or, where it has none, its length and time. "" says that neither is known.
func ownBuild() string {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return ""
	}
	defer f.Close()
	head := make([]byte, 4096) // the linker puts the note right behind the program headers
	n, _ := f.ReadAt(head, 0)
	if id := goBuildID(head[:n]); id != "" {
		return id
	}
	st, err := f.Stat()
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%d-%d", st.Size(), st.ModTime().UnixNano())
}

// goBuildID returns the build id that the go command has put into an executable, from its first bytes; "" for none.
func goBuildID(head []byte) string {
	// struct Elf64_Nhdr (name's length, description's length, type 4), and the name.
	const before = 8
	i := bytes.Index(head, []byte("\x04\x00\x00\x00Go\x00\x00"))
	if i < before {
		return ""
	}
	length := uint64(binary.LittleEndian.Uint32(head[i-4:]))
	if rest := head[i+before:]; length <= uint64(len(rest)) && !bytes.ContainsAny(rest[:length], " \n") {
		return string(rest[:length])
	}
	return ""
}
