package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vmblame/vmblame/internal/testenv"
)

// readerFaults are those of who reads, of files that a target or a log names, of vmblame itself, and of a library that notices a tracer.
var readerFaults = []fault{
	{name: "run: ^S on the terminal", part: 10, spoken: true, run: func(r *round) {
		master, slave := testenv.Terminal(r.t)
		defer master.Close()
		defer slave.Close()
		shown := make(chan struct{})
		go func() {
			_, _ = io.Copy(io.Discard, master) // the terminal itself reads; it is ^S that holds back
			close(shown)
		}()
		v, out := r.tool(r.launch([]string{"--live"}, prog(r.t, "steady"), "60")...), new(bytes.Buffer)
		v.Stdout, v.Stderr = out, slave
		if err := v.Start(); err != nil {
			r.t.Fatal(err)
		}
		r.later(40 * time.Millisecond)
		if _, err := master.WriteString("\x13"); err != nil {
			r.t.Fatal(err)
		}
		r.steady(v, out)
		if !r.strace {
			r.look(false)
		}
		master.Close()
		slave.Close()
		<-shown
	}},
	{name: "run: the program's loader is a FIFO", part: 5, needs: "gcc", run: func(r *round) {
		program, loader := r.ownLoader()
		r.fifo(loader)
		end := "exit status 126" // as a shell says that it cannot be executed
		if r.strace {
			end = "exit status 1"
		}
		r.says(r.launch(nil, program, "10"), end, "")
		r.look(true) // a refusal leaves none
	}},
	{name: "attach: the program's loader is a FIFO", part: 5, needs: "gcc", run: func(r *round) {
		program, loader := r.ownLoader()
		target, out := exec.Command(program, "100"), new(bytes.Buffer)
		target.Stdout = out
		if err := target.Start(); err != nil {
			r.t.Fatal(err)
		}
		for range 5000 { // until the kernel has opened its loader
			if _, err := os.Stat(fmt.Sprintf("/proc/%d/exe", target.Process.Pid)); err == nil && r.mapsFile(target.Process.Pid, loader) {
				break
			}
			time.Sleep(time.Millisecond)
		}
		r.fifo(loader)
		v := r.tool(r.attach(target.Process.Pid)...)
		if err := v.Run(); err != nil && !r.strace && v.ProcessState.ExitCode() != 1 {
			r.harm = fmt.Sprint(err)
		}
		r.steady(target, out)
		r.look(v.ProcessState.ExitCode() == 1) // it had ended before
		r.reads()
	}},
	{name: "run: its debugging file is a FIFO", part: 10, needs: "gcc", run: func(r *round) {
		program := r.compile("-g", "-gsplit-dwarf")
		found, err := filepath.Glob(filepath.Join(r.dir, "*.dwo"))
		if err != nil || len(found) != 1 {
			r.t.Fatal(found, err)
		}
		r.fifo(found[0])
		v, out := r.tool(r.launch(nil, program, "40")...), new(bytes.Buffer)
		v.Stdout = out
		if err := v.Start(); err != nil {
			r.t.Fatal(err)
		}
		r.steady(v, out)
		r.look(false)
		r.reads()
	}},
	{name: "report: a module of the log is a FIFO", part: 10, alone: true, run: func(r *round) {
		program := filepath.Join(r.dir, "steady")
		if text, err := os.ReadFile(prog(r.t, "steady")); err != nil || os.WriteFile(program, text, 0o755) != nil {
			r.t.Fatal(err)
		}
		v, out := r.tool(r.launch(nil, program, "40")...), new(bytes.Buffer)
		v.Stdout = out
		if err := v.Start(); err != nil {
			r.t.Fatal(err)
		}
		r.steady(v, out)
		r.fifo(program)
		r.look(false)
		r.reads()
	}},
	{name: "run: vmblame panics", part: 15, alone: true, run: func(r *round) {
		v, out := r.tool(r.launch(r.one(nil, "--no-seccomp"), prog(r.t, "steady"), "60")...), new(bytes.Buffer)
		v.Path = panicking(r.t)
		v.Env = append(os.Environ(), "VMBLAME_PANIC_AT="+strconv.Itoa(1+r.rng.IntN(400)))
		v.Stdout = out
		if err := v.Start(); err != nil {
			r.t.Fatal(err)
		}
		r.steady(v, out)
		r.look(false)
		r.failed()
	}},
	{name: "attach: vmblame panics", part: 10, alone: true, run: func(r *round) {
		target, out := r.target(100)
		v := r.tool(r.attach(target.Process.Pid)...)
		v.Path = panicking(r.t)
		v.Env = append(os.Environ(), "VMBLAME_PANIC_AT="+strconv.Itoa(1+r.rng.IntN(100)))
		_ = v.Run()
		r.steady(target, out)
		_, err := os.Stat(r.log)
		if tooLate := v.ProcessState.ExitCode() == 1 && err != nil; !tooLate {
			r.look(false)
			r.failed()
		}
	}},
	{name: "run --lsan=off: LeakSanitizer", part: 10, run: func(r *round) {
		r.says(r.launch([]string{"--lsan=off"}, prog(r.t, r.pick("leaks_asan", "leaks_lsan", "leaks_linked"))), "exit status 0", "")
		r.look(false)
	}},
}

// fifo puts a FIFO at a path, in the place of what is there.
func (r *round) fifo(path string) {
	if err := os.Remove(path); err != nil {
		r.t.Fatal(err)
	}
	if err := syscall.Mkfifo(path, 0o755); err != nil {
		r.t.Fatal(err)
	}
}

// compile makes a program of its own of steady.c.
func (r *round) compile(flags ...string) string {
	source, err := filepath.Abs("../../../testdata/progs/steady.c")
	if err != nil {
		r.t.Fatal(err)
	}
	program := filepath.Join(r.dir, "steady")
	gcc := exec.Command("gcc", append(flags, "-O1", "-pthread", "-o", program, source)...)
	gcc.Dir = r.dir
	if out, err := gcc.CombinedOutput(); err != nil {
		r.t.Fatalf("%v: %s", err, out)
	}
	return program
}

// ownLoader makes a program with a loader of its own.
func (r *round) ownLoader() (program, loader string) {
	loader = filepath.Join(r.dir, "loader")
	text, err := os.ReadFile("/lib64/ld-linux-x86-64.so.2")
	if err == nil {
		err = os.WriteFile(loader, text, 0o755)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return r.compile("-Wl,-dynamic-linker," + loader), loader
}

// mapsFile reports whether a process has a file mapped.
func (r *round) mapsFile(pid int, path string) bool {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	return err == nil && strings.Contains(string(maps), path)
}

// reads has the log read by those that open what it names; one that does not end, or fails, is a fault of the log.
func (r *round) reads() {
	if _, err := os.Stat(r.log); r.strace || err != nil {
		return
	}
	for _, view := range [][]string{{"report", r.log}, {"symbolize", r.log}, {"history", r.log, "0x1000"}} {
		if out, err := r.tool(append([]string{built.vmblame}, view...)...).CombinedOutput(); err != nil && r.broken == "" {
			r.broken = fmt.Sprintf("%v: %v: %.300s", view, err, out)
		}
	}
}

// failed says that a log that should end with the cause "failed" has another end, unless all was over before the fault.
func (r *round) failed() {
	if c := r.cause; c != "failed" && c != "exit" && r.broken == "" {
		r.broken = fmt.Sprintf("its end says %q", c)
	}
}

// panicking is a vmblame that panics at the stop whose number VMBLAME_PANIC_AT says: what handles stops has one more line.
func panicking(t testing.TB) string {
	return testenv.Rebuilt(t, "vmblame-panics", func(path string) {
		recorder, err := filepath.Abs("../../../internal/record/recorder.go")
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(recorder)
		const head = "func (r *Recorder) handle(s *tracer.Stop) bool {\n"
		if err != nil || strings.Count(string(text), head) != 1 {
			t.Fatalf("%s has no such function any more: %v", recorder, err)
		}
		dir := filepath.Dir(path)
		changed, more, overlay := filepath.Join(dir, "recorder.go"), filepath.Join(dir, "panics.go"), filepath.Join(dir, "overlay.json")
		replace, err := json.Marshal(map[string]map[string]string{"Replace": {recorder: changed, filepath.Join(filepath.Dir(recorder), "panics.go"): more}})
		if err != nil {
			t.Fatal(err)
		}
		const panics = `package record

import (
	"os"
	"strconv"
)

var stopsLeft, _ = strconv.Atoi(os.Getenv("VMBLAME_PANIC_AT"))

func panicAtLast() {
	if stopsLeft--; stopsLeft == 0 {
		panic("as it was asked to")
	}
}
`
		for file, text := range map[string]string{changed: strings.Replace(string(text), head, head+"\tpanicAtLast()\n", 1), more: panics, overlay: string(replace)} {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		build := exec.Command("go", "build", "-overlay", overlay, "-buildvcs=false", "-ldflags=-E vmblame_entry", "-o", path, "..")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	})
}
