package launcher

import (
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// The helper of an executable without its own entry point, which this test is, becomes the program, or tells which step has
// failed. That of one with it is in every test of cmd/vmblame/e2e.
func TestScript(t *testing.T) {
	const signals = 1<<(syscall.SIGHUP-1) | 1<<(syscall.SIGPIPE-1)
	grep := Config{Path: "/bin/grep", Argv: []string{"grep", "-ahE", "^(Sig(Blk|Ign)|WORD)", "status", "environ"}, Env: []string{"WORD=a word"},
		Dir: "/proc/self", NoASLR: true, SetSignals: true, Ignored: signals, Blocked: 1 << (syscall.SIGUSR1 - 1)}
	noFolder, noProgram := grep, grep
	noFolder.Dir = "/nowhere"
	noProgram.Path = "/nowhere"
	for _, c := range []struct {
		name     string
		config   Config
		output   string
		messages []uint64 // Step and value of each
	}{
		{"program", grep, "SigBlk:\t0000000000000200\nSigIgn:\t0000000000001001\nWORD=a word\x00\n", []uint64{uint64(Ready), 0, uint64(Going), AddrNoRandomize}},
		{"no folder", noFolder, "", []uint64{uint64(Ready), 0, uint64(Chdir), uint64(syscall.ENOENT)}},
		{"no program", noProgram, "", []uint64{uint64(Ready), 0, uint64(Going), AddrNoRandomize, uint64(Exec), uint64(syscall.ENOENT)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, config, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			status, out, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			var said strings.Builder
			helper := exec.Command("/proc/self/exe", "3", "4")
			helper.Args[0], helper.ExtraFiles, helper.Stdout = Name, []*os.File{in, out}, &said
			if err := helper.Start(); err != nil {
				t.Fatal(err)
			}
			in.Close()
			out.Close()
			c.config.Status = 4
			if _, err := config.Write(c.config.Encode()); err != nil {
				t.Error(err)
			}
			config.Close()
			told, err := io.ReadAll(status)
			if err != nil {
				t.Error(err)
			}
			status.Close()
			err = helper.Wait()
			if failed := c.output == ""; (err != nil) != failed || failed && helper.ProcessState.ExitCode() != 125 {
				t.Errorf("it ended with %v", err)
			}
			if said.String() != c.output {
				t.Errorf("it said %q, want %q", said.String(), c.output)
			}
			var messages []uint64
			for ; len(told) >= wordSize; told = told[wordSize:] {
				messages = append(messages, binary.NativeEndian.Uint64(told))
			}
			if len(messages) != len(c.messages) || len(told) != 0 {
				t.Fatalf("messages %v, want %v", messages, c.messages)
			}
			for i := range messages {
				if messages[i] != c.messages[i] {
					t.Errorf("messages %v, want %v", messages, c.messages)
				}
			}
		})
	}
}
