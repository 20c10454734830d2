package tracer

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/vmblame/vmblame/internal/kernelfile"
)

// status holds the fields of /proc/TID/status (proc(5)) that tracing asks about.
type status struct {
	name       string
	state      byte // 'R', 'S', 'T', 't', 'Z' …
	tgid, ppid int
	tracer     int
	nsTID      int // in the innermost pid namespace
	uid        int
	kernel     bool // a kernel thread
	ignored    uint64
	blocked    uint64
	pending    uint64 // of the thread or of its process
	seccomp    int    // its mode: 0 for none
	filters    int    // how many seccomp filters it has (Linux 5.9)
	caught     uint64 // signals with a handler, signal N in bit N-1

	shadowStack bool
}

// readStatus reads /proc/TID/status.
func readStatus(tid int) (status, error) {
	text, err := kernelfile.Read(fmt.Sprintf("/proc/%d/status", tid))
	if err != nil {
		return status{}, err
	}
	st := parseStatus(text)
	if !bytes.Contains(text, []byte("\nKthread:")) {
		stat, err := kernelfile.Read(fmt.Sprintf("/proc/%d/stat", tid))
		st.kernel = err == nil && isKernelThread(stat)
	}
	return st, nil
}

func parseStatus(text []byte) (st status) {
	for line := range bytes.Lines(text) {
		key, rest, ok := bytes.Cut(line, []byte(":"))
		value := string(bytes.TrimSpace(rest))
		if !ok || value == "" {
			continue
		}
		last := value
		if i := bytes.LastIndexByte([]byte(value), '\t'); i >= 0 {
			last = value[i+1:]
		}
		first := value
		if i := bytes.IndexByte([]byte(value), '\t'); i >= 0 {
			first = value[:i]
		}
		switch string(key) {
		case "Name":
			st.name = value
		case "State":
			st.state = value[0]
		case "Tgid":
			st.tgid, _ = strconv.Atoi(value)
		case "PPid":
			st.ppid, _ = strconv.Atoi(value)
		case "TracerPid":
			st.tracer, _ = strconv.Atoi(value)
		case "Uid":
			st.uid, _ = strconv.Atoi(first)
		case "NSpid":
			st.nsTID, _ = strconv.Atoi(last)
		case "SigPnd", "ShdPnd":
			set, _ := strconv.ParseUint(value, 16, 64)
			st.pending |= set
		case "Seccomp":
			st.seccomp, _ = strconv.Atoi(value)
		case "Seccomp_filters":
			st.filters, _ = strconv.Atoi(value)
		case "SigBlk":
			st.blocked, _ = strconv.ParseUint(value, 16, 64)
		case "SigIgn":
			st.ignored, _ = strconv.ParseUint(value, 16, 64)
		case "SigCgt":
			st.caught, _ = strconv.ParseUint(value, 16, 64)
		case "x86_Thread_features": // Documentation/arch/x86/shstk.rst
			st.shadowStack = strings.Contains(value, "shstk")
		case "Kthread": // Linux 6.8
			st.kernel = value == "1"
		}
	}
	return st
}

// isKernelThread reports whether a line of /proc/TID/stat is that of a kernel thread: it has PF_KTHREAD among its
// flags.
func isKernelThread(stat []byte) bool {
	const pfKthread = 0x00200000
	i := bytes.LastIndexByte(stat, ')')
	fields := bytes.Fields(stat[i+1:])
	if len(fields) < 7 {
		return false
	}
	flags, _ := strconv.ParseUint(string(fields[6]), 10, 64)
	return flags&pfKthread != 0
}

// State is the letter of a task's state in /proc/TID/stat (proc(5)), 0 after its end.
func State(tid int) byte {
	text, err := kernelfile.Read(fmt.Sprintf("/proc/%d/stat", tid))
	i := bytes.LastIndexByte(text, ')')
	if err != nil || i < 0 || i+2 >= len(text) {
		return 0
	}
	return text[i+2]
}

// Identity is what /proc says about a task.
type Identity struct {
	Name  string // the comm, at most 15 bytes
	TGID  int
	NsTID int // its tid in its own pid namespace; its tid if it is in ours
}

// Identify reads the identity of a task; after its end, or without permission, it is the zero Identity.
func Identify(tid int) Identity {
	st, err := readStatus(tid)
	if err != nil {
		return Identity{}
	}
	return Identity{Name: unescape(st.name), TGID: st.tgid, NsTID: st.nsTID}
}

// unescape undoes the escaping of newlines and backslashes in names by /proc/TID/status.
func unescape(s string) string {
	if !bytes.ContainsRune([]byte(s), '\\') {
		return s
	}
	return string(bytes.ReplaceAll(bytes.ReplaceAll([]byte(s), []byte(`\n`), []byte("\n")), []byte(`\\`), []byte(`\`)))
}

// WaitsIn is the kernel function that a task sleeps in, from /proc/TID/wchan (proc(5)): the caller of the kernel's
// lock and completion functions. It is "" if the task runs or we lack permission.
func WaitsIn(tid int) string {
	text, err := kernelfile.Read(fmt.Sprintf("/proc/%d/wchan", tid))
	if err != nil || string(text) == "0" {
		return ""
	}
	return string(text)
}
