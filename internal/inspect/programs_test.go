package inspect

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// program builds one of testdata's programs, starts it untraced, by a command or alone, and returns what it says up to
// "ready", and what a look at it finds. It waits for its standard input to close, which the end of the test does.
func program(t *testing.T, name string, by ...string) ([]string, *Live, []classify.Finding) {
	t.Helper()
	out := testenv.Shared(t)
	if err := testenv.Programs(out, name); err != nil {
		t.Fatal(err)
	}
	return command(t, append(by, filepath.Join(out, name))...)
}

// command does what program does for any program.
func command(t *testing.T, argv ...string) ([]string, *Live, []classify.Finding) {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	_, stdout := testenv.Waiting(t, cmd)
	var said []string
	s := bufio.NewScanner(stdout)
	s.Buffer(nil, 1<<20)
	for s.Scan() && s.Text() != "ready" {
		said = append(said, s.Text())
	}
	l, err := OpenLive(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return said, l, Look(&l.Process)
}

// lines scans those of the lines that begin with the word of the format.
func lines(said []string, format string, each func(scan func(...any))) (n int) {
	word, _, _ := strings.Cut(format, " ")
	for _, s := range said {
		if strings.HasPrefix(s, word+" ") {
			n++
			each(func(to ...any) {
				if _, err := fmt.Sscanf(s, format, to...); err != nil {
					panic(s + ": " + err.Error())
				}
			})
		}
	}
	return n
}
