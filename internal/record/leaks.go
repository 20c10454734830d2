package record

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/procfs"
)

// leaks recognises programs with LeakSanitizer, which searches for leaks when the program ends. To do so it stops all
// threads by ptrace, and if a tracer is attached already it gives up with an exit status of its own.
type leaks struct {
	out      *output
	launches bool
	kept     bool            // no warning is wanted
	told     map[fileID]bool // programs that have been examined
	early    *eventlog.Note  // the note about the launched program, kept until the log has its header
}

type fileID struct{ dev, inode uint64 }

// leakCheck lists the file names of the sanitizer's shared runtimes, without their version numbers.
var leakCheck = []string{"libasan.so", "liblsan.so", "libclang_rt.asan", "libclang_rt.lsan"}

// symbolOfLeakCheck is a symbol that the sanitizer's runtime defines, even if it is linked into the program.
const symbolOfLeakCheck = "__lsan_do_leak_check"

// warnOf warns if a program that is about to be launched in dir has LeakSanitizer.
func (l *leaks) warnOf(path, dir string, env []string) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	if why := l.searches(path, env, true); why != "" {
		l.early = leakNote(filepath.Base(path), "run --lsan=off switches it off")
		l.out.warn(l.early.Text)
	}
}

// note writes the warning of warnOf to the log.
func (l *leaks) note() {
	if n := l.early; n != nil {
		n.T = l.out.now()
		l.out.queue.Put(n)
		l.early = nil
	}
}

// look warns if a process that has just executed a program, or was just attached to, has LeakSanitizer.
func (l *leaks) look(pid int) {
	image := fmt.Sprintf("/proc/%d/exe", pid)
	if l.searches(image, nil, false) == "" || leakCheckOff(procfs.Environ(pid)) {
		return
	}
	remedy := "detach before that"
	if l.launches {
		remedy = "run --lsan=off switches it off"
	}
	n := leakNote(fmt.Sprintf("pid %d: %s", pid, filepath.Base(procfs.Exe(pid))), remedy)
	l.out.note(n.Level, n.Code, n.Text)
}

func leakNote(name, remedy string) *eventlog.Note {
	return &eventlog.Note{Level: "warning", Code: "leak-check",
		Text: name + " has LeakSanitizer, whose leak check at the program's end fails under a tracer and turns its exit status into an error: " + remedy}
}

// searches returns the library or symbol by which a program with LeakSanitizer was recognised, "" if it has none or
// has been examined before. whole makes it read the symbol table and env as well.
func (l *leaks) searches(path string, env []string, whole bool) string {
	if l.kept {
		return ""
	}
	var st syscall.Stat_t
	if syscall.Stat(path, &st) != nil || l.told[fileID{st.Dev, st.Ino}] {
		return ""
	}
	l.told[fileID{st.Dev, st.Ino}] = true
	if whole && leakCheckOff(env) {
		return ""
	}
	f, err := elffile.OpenPath(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	libraries := f.Dynamic().Needed()
	for _, kv := range env {
		if preload, ok := strings.CutPrefix(kv, "LD_PRELOAD="); ok {
			libraries = append(libraries, strings.FieldsFunc(preload, func(c rune) bool { return c == ' ' || c == ':' })...)
		}
	}
	for _, lib := range libraries {
		if slices.ContainsFunc(leakCheck, func(name string) bool { return strings.HasPrefix(filepath.Base(lib), name) }) {
			return lib
		}
	}
	if f.Dynamic().Exports(symbolOfLeakCheck) || whole && linkedIn(f) {
		return symbolOfLeakCheck
	}
	return ""
}

// mostNames limits the size in bytes of a symbol string table that is searched.
const mostNames = 64 << 20

// linkedIn reports whether the symbol table defines the runtime's symbol. The names alone rule out nearly all programs.
func linkedIn(f *elffile.File) bool {
	names, err := f.OpenSection(".strtab")
	if err != nil {
		return false
	}
	defer names.Close()
	if !contains(io.NewSectionReader(names, 0, min(names.Size(), mostNames)), symbolOfLeakCheck+"\x00") {
		return false
	}
	table, err := elf.NewFile(f)
	if err != nil {
		return false
	}
	symbols, _ := table.Symbols()
	return slices.ContainsFunc(symbols, func(s elf.Symbol) bool { return s.Name == symbolOfLeakCheck && s.Section != elf.SHN_UNDEF })
}

// contains reports whether the text read from r contains a word. It is read in pieces: memory for the whole text (7 MiB
// for node) would cost more than the search, while the program waits.
func contains(text io.Reader, word string) bool {
	piece := make([]byte, 64<<10)
	for kept := 0; ; {
		n, err := io.ReadFull(text, piece[kept:])
		if n += kept; bytes.Contains(piece[:n], []byte(word)) {
			return true
		}
		if err != nil {
			return false
		}
		kept = copy(piece, piece[n-len(word)+1:n]) // it may begin here
	}
}

// optionsOfLeakCheck are the environment variables that the sanitizer's runtime reads.
var optionsOfLeakCheck = []string{"ASAN_OPTIONS", "LSAN_OPTIONS"}

// leakCheckOff reports whether an environment switches the search off.
func leakCheckOff(env []string) bool {
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		if !slices.Contains(optionsOfLeakCheck, name) {
			continue
		}
		off := false // the last setting of an option counts
		for _, o := range strings.FieldsFunc(value, func(c rune) bool { return strings.ContainsRune(" ,:\n\t\r", c) }) {
			if v, ok := strings.CutPrefix(o, "detect_leaks="); ok {
				v = strings.Trim(v, `"'`)
				off = v == "0" || v == "no" || v == "false"
			}
		}
		if off {
			return true
		}
	}
	return false
}

// withoutLeakCheck returns env with the search for leaks switched off; other options of the sanitizer stay.
func withoutLeakCheck(env []string) []string {
	for _, name := range optionsOfLeakCheck {
		value := "detect_leaks=0"
		for _, kv := range env {
			if old, ok := strings.CutPrefix(kv, name+"="); ok && old != "" {
				value = old + ":" + value
			}
		}
		env = mergeEnv(env, []string{name + "=" + value})
	}
	return env
}
