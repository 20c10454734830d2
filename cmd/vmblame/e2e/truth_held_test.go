package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/testenv"
)

// heldJava does in Java what testdata/progs/held.c does.
const heldJava = `public class Held {
 static byte[][] kept = new byte[8000][];
 public static void main(String[] a) throws Exception {
  for (int i = 0; i < kept.length; i++) kept[i] = new byte[100_000];
  System.out.println("ready");
  long gap = 0, last = System.nanoTime();
  while (System.in.available() == 0) { long t = System.nanoTime(); gap = Math.max(gap, t - last); last = t; }
  System.out.println("gap " + gap + "\nbye " + System.nanoTime()); System.out.flush(); Runtime.getRuntime().halt(0);
 } }`

// pause is how long a program was kept from running, by its own clock, and how long it took to end after its last word.
type pause struct{ gap, end time.Duration }

// TestHeld measures, for docs/kinds.md ("How long a program stands still"), how long attach and run with their snapshots keep programs of much memory from
// running: one line a program, the least of three beside those of the program alone. No time is asserted, that the snapshots are made is;
// without -kinds of the first program alone.
func TestHeld(t *testing.T) {
	testenv.Need(t, "root", "attach")
	dir := t.TempDir()
	java := filepath.Join(dir, "Held.java")
	if err := os.WriteFile(java, []byte(heldJava), 0o644); err != nil {
		t.Fatal(err)
	}
	held := filepath.Join(built.progs, "held")
	var table []string
	for _, p := range []struct {
		name string
		argv []string
	}{
		{"64 MiB, in memory", []string{held, "64", "64"}},
		{"40 GiB reserved, 2 GiB in memory", []string{held, "40960", "2048"}},
		{"8 TiB reserved, 512 MiB in memory", []string{held, "8388608", "512"}},
		{"AddressSanitizer", []string{filepath.Join(built.progs, "held_asan"), "64", "64"}},
		{"java, 800 MiB in memory", []string{"java", "-Xms1g", "-Xmx1g", java}},
	} {
		times := 3
		if *kindsFlag == "" {
			times = 1
		}
		t.Run(p.name, func(t *testing.T) {
			if p.argv[0] == "java" {
				testenv.Optional(t, "java")
			}
			row := fmt.Sprintf("| %s", p.name)
			var alone, run pause
			for _, by := range []string{"alone", "attach", "run"} {
				var list []pause
				for range times {
					list = append(list, stands(t, by, p.argv))
				}
				// The least: what else runs on the machine makes any of them longer.
				least := list[0]
				for _, x := range list {
					least = pause{min(least.gap, x.gap), min(least.end, x.end)}
				}
				row += fmt.Sprintf(" | %d ms", least.gap.Milliseconds())
				switch by {
				case "alone":
					alone = least
				case "run":
					run = least
				}
			}
			table = append(table, fmt.Sprintf("%s | %d ms | %d ms |\n", row, alone.end.Milliseconds(), run.end.Milliseconds()))
		})
		if *kindsFlag == "" {
			return
		}
	}
	fmt.Printf("\n| program | stands still at most: alone | by attach | by run | takes to end: alone | by run |\n| --- | ---: | ---: | ---: | ---: | ---: |\n%s", strings.Join(table, ""))
}

// stands starts a program that looks at the clock, alone, under run or for attach, and asks it afterwards.
func stands(t *testing.T, by string, argv []string) (p pause) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log.jsonl")
	if by == "run" {
		argv = append([]string{built.vmblame, "run", "-q", "--lsan=off", "--snapshot-every", "100ms", "-o", log, "--"}, argv...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	stdin, stdout := testenv.Waiting(t, cmd)
	in := bufio.NewScanner(stdout)
	for in.Scan() && in.Text() != "ready" {
	}
	pid := cmd.Process.Pid
	if by == "run" {
		if list := descendants(pid); len(list) == 1 {
			pid = list[0]
		} else {
			t.Fatalf("%v has the children %v", argv, list)
		}
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	switch by {
	case "attach":
		output(t, built.vmblame, "attach", "-q", "--duration", "300ms", "-o", log, strconv.Itoa(pid))
	case "run":
		until := time.Now().Add(patience)
		for text := []byte(nil); !bytes.Contains(text, []byte(`"cause":"interval"`)); text, _ = os.ReadFile(log) {
			if time.Now().After(until) {
				t.Fatalf("no snapshot of %v", argv)
			}
			time.Sleep(20 * time.Millisecond)
		}
	default:
		time.Sleep(300 * time.Millisecond) // as long as attach; nothing waits for it
	}
	if _, err := io.WriteString(stdin, "\n"); err != nil {
		t.Fatal(err)
	}
	var bye time.Duration
	for in.Scan() {
		if n, err := strconv.ParseInt(in.Text()[4:], 10, 64); err != nil {
			t.Fatalf("%v says %q", argv, in.Text())
		} else if in.Text()[:4] == "gap " {
			p.gap = time.Duration(n)
		} else {
			bye = time.Duration(n)
		}
	}
	for {
		if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1); err != unix.EINTR {
			break
		}
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil || bye == 0 {
		t.Fatal(err, bye)
	}
	p.end = time.Duration(now.Nano()) - bye
	if last := map[string]string{"attach": `"cause":"detach","mappings"`, "run": `"cause":"exit","mappings"`}[by]; last != "" {
		eventually(t, "a snapshot at the end of "+by, func() bool {
			text, _ := os.ReadFile(log)
			return bytes.Contains(text, []byte(last))
		})
	}
	return p
}
