package unwind

import (
	"bufio"
	"encoding/hex"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/testenv"
)

const maxLength = 15 // bytes of an instruction

// instructions lists the instructions of a program's .text by address, as objdump sees them.
func instructions(t testing.TB, path string) map[uint64][]byte {
	t.Helper()
	testenv.Need(t, "objdump")
	cmd := exec.Command("objdump", "-d", "-w", "--section=.text", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	list := make(map[uint64][]byte)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		// "  401000:\t48 83 ec 08          \tsub    $0x8,%rsp"
		f := strings.SplitN(lines.Text(), "\t", 3)
		if len(f) < 3 || strings.Contains(f[2], "(bad)") {
			continue
		}
		pc, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(f[0]), ":"), 16, 64)
		if err != nil {
			continue
		}
		code, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(f[1]), " ", ""))
		if err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		list[pc] = code
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestDecodeLengths holds the lengths of all instructions of a static program against objdump's.
func TestDecodeLengths(t *testing.T) {
	list := instructions(t, compile(t, "deep.c", "-O2", "-static"))
	unknown, wrong := 0, 0
	for pc, code := range list {
		x, ok := decode(append(code, make([]byte, maxLength)...))
		switch {
		case !ok:
			unknown++
		case x.length != len(code):
			if wrong++; wrong < 20 {
				t.Errorf("%#x: %d bytes of % x", pc, x.length, code)
			}
		}
	}
	// What is left out are the string functions for AVX.
	if len(list) < 100_000 || unknown*10 > len(list) || wrong > 0 {
		t.Errorf("of %d instructions %d are not known, %d lengths are wrong", len(list), unknown, wrong)
	}
}
