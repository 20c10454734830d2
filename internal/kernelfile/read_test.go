package kernelfile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLines: the pieces are whole lines and together the file, with lines longer than what is read at once, and without a newline at the end.
func TestLines(t *testing.T) {
	for _, text := range []string{"", "\n", "a\nb\n", "a\nb", strings.Repeat("x", 50000), strings.Repeat("y", 1<<14-1) + "\n" + strings.Repeat("line\n", 20000) + strings.Repeat("z", 70000) + "\nend"} {
		name := filepath.Join(t.TempDir(), "text")
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		var got []byte
		cut := false
		err := Lines(name, func(lines []byte) error {
			if len(lines) == 0 || cut {
				t.Errorf("a piece of %d bytes; the one before it was cut: %v", len(lines), cut)
			}
			cut = !bytes.HasSuffix(lines, []byte("\n"))
			got = append(got, lines...)
			return nil
		})
		if err != nil || string(got) != text {
			t.Errorf("%d bytes of %d: %v", len(got), len(text), err)
		}
	}
}

func TestLinesFails(t *testing.T) {
	var p *fs.PathError
	if err := Lines(filepath.Join(t.TempDir(), "none"), func([]byte) error { return nil }); !errors.As(err, &p) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	stop, n := errors.New("enough"), 0
	if err := Lines("/proc/self/maps", func([]byte) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
		t.Errorf("%v after %d pieces", err, n)
	}
}
