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

// TestDecodeLengths holds the lengths of all instructions of a static program against objdump's.
func TestDecodeLengths(t *testing.T) {
	path := compile(t, "deep.c", "-O2", "-static")
	testenv.Need(t, "objdump")
	cmd := exec.Command("objdump", "-d", "-w", "--section=.text", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	total, unknown, wrong := 0, 0, 0
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		// "  401000:\t48 83 ec 08          \tsub    $0x8,%rsp"
		f := strings.SplitN(lines.Text(), "\t", 3)
		if len(f) < 3 || strings.Contains(f[2], "(bad)") {
			continue
		}
		if _, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(f[0]), ":"), 16, 64); err != nil {
			continue
		}
		code, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(f[1]), " ", ""))
		if err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		total++
		x, ok := decode(append(code, make([]byte, 15)...))
		switch {
		case !ok:
			unknown++
		case x.length != len(code):
			if wrong++; wrong < 20 {
				t.Errorf("%d bytes: %s", x.length, lines.Text())
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	// What is left out are the string functions for AVX.
	if total < 100_000 || unknown*10 > total || wrong > 0 {
		t.Errorf("of %d instructions %d are not known, %d lengths are wrong", total, unknown, wrong)
	}
}
