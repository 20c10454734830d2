package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestFIFOs puts a FIFO where a file is named, in a log and in a program: nobody waits for one, nor takes it for the file.
func TestFIFOs(t *testing.T) {
	e := recordedElsewhere(t, "log.jsonl")
	if err := os.Remove(e.program); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(e.program, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"report", e.log}, {"symbolize", e.log, "--debug-dir="}, {"history", e.log, "0x1000"}} {
		vmblame(t, e.dir, args...).wants(t, 0)
	}
	if r := vmblame(t, e.dir, "symbolize", e.log, "--debug-dir="+e.debug); r.status != 0 || named(t, e.log)["hidden"] != "dwarf" {
		t.Errorf("%d: %s%s", r.status, r.stdout, r.stderr)
	}

	loader := filepath.Join(e.dir, "loader")
	if err := syscall.Mkfifo(loader, 0o755); err != nil {
		t.Fatal(err)
	}
	source, program := filepath.Join(e.dir, "main.c"), filepath.Join(e.dir, "main")
	if err := os.WriteFile(source, []byte("int main(void) { return 0; }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tool(t, "gcc", "-o", program, source, "-Wl,-dynamic-linker,"+loader)
	r := vmblame(t, e.dir, "run", "-q", "-o", "other.jsonl", "--", program)
	r.wants(t, 126)
	if !strings.Contains(r.stderr, "permission denied") {
		t.Error(r.stderr)
	}
}
