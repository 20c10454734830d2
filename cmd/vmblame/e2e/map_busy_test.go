package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/procfs"
	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/vm"
)

var mapsFlag = flag.Int("maps", 0, "map each of six busy programs so `often`, and print the table of docs/kinds.md")

// A busy program works until it is killed.
type busy struct {
	subject
	// load makes it work, and returns which process of it is looked at; nil where it works by itself.
	load func(w *world) (pid int)
	// done is how much of its work it has done.
	done func(w *world) int
}

// counted reads what the program writes into its file "done".
func counted(w *world) int {
	text, _ := os.ReadFile(filepath.Join(w.dir, "done"))
	n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return n
}

// works waits until the program has done something.
func works(w *world) (string, error) {
	if counted(w) == 0 {
		return "", fmt.Errorf("nothing done")
	}
	return "", nil
}

// started starts a command that goes on until the end of the test.
func started(w *world, cmd *exec.Cmd) {
	cmd.Dir = w.dir
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// source writes a file into the program's folder.
func source(w *world, name, text string) string {
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// named returns the subject of that name.
func named(name string) subject {
	for _, s := range subjects {
		if s.name == name {
			return s
		}
	}
	panic(name)
}

// The three runtimes that work by themselves make blocks and drop them, check that those that they keep have what they wrote, and count.
var busyPrograms = []busy{
	{subject: named("redis"), load: func(w *world) int {
		started(w, exec.Command("redis-benchmark", "-s", filepath.Join(w.dir, "s"), "-l", "-q", "-r", "100000", "-n", "200000", "-c", "8", "set", "k__rand_int__", strings.Repeat("x", 300)))
		return w.pid
	}, done: func(w *world) int {
		out, _ := exec.Command("redis-cli", "-s", filepath.Join(w.dir, "s"), "info", "stats").Output()
		_, rest, _ := strings.Cut(string(out), "total_commands_processed:")
		n, _ := strconv.Atoi(strings.TrimSpace(strings.SplitN(rest, "\n", 2)[0]))
		return n
	}},
	{subject: subject{name: "java", needs: []string{"java"}, ask: works, argv: func(w *world) []string {
		return []string{"java", "-Xmx256m", source(w, "Busy.java", `import java.nio.file.*; import java.util.*;
public class Busy { public static void main(String[] a) throws Exception {
  for (int k = 0; k < 3; k++) { Thread t = new Thread(() -> { List<byte[]> l = new ArrayList<>(); while (true) { l.add(new byte[5000]); if (l.size() > 4000) l.clear(); } }); t.setDaemon(true); t.start(); }
  byte[][] kept = new byte[1000][]; Random r = new Random(1);
  for (int n = 1; ; n++) { for (int i = 0; i < 2000; i++) { int k = r.nextInt(1000); if (kept[k] != null) for (byte b : kept[k]) if (b != (byte) k) System.exit(3);
    kept[k] = new byte[r.nextInt(20000)]; Arrays.fill(kept[k], (byte) k); } Files.writeString(Path.of("done"), "" + n); } } }`)}
	}}, done: counted},
	{subject: subject{name: "node", needs: []string{"node"}, ask: works, argv: func(w *world) []string {
		return []string{"node", source(w, "busy.js", `
const fs = require("fs"), kept = [], texts = [];
(function work(n) { for (let i = 0; i < 3000; i++) { const k = Math.floor(Math.random() * 1000);
  if (kept[k] && !kept[k].every(b => b === k % 256)) process.exit(3);
  kept[k] = Buffer.alloc(Math.floor(Math.random() * 8000), k % 256); texts[k] = "x".repeat(k) + n; }
  fs.writeFileSync("done", String(n)); setImmediate(work, n + 1); })(1);`)}
	}}, done: counted},
	{subject: subject{name: "go", ask: works, argv: func(w *world) []string {
		cmd := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(w.dir, "busy"), source(w, "busy.go", `package main
import ("math/rand"; "os"; "strconv"; "time")
func main() {
	for range 8 { go func() { var l [][]byte; for { l = append(l, make([]byte, rand.Intn(5000))); if len(l) > 5000 { l = nil; time.Sleep(time.Millisecond) } } }() }
	kept := make([][]byte, 1000)
	for n := 1; ; n++ {
		for range 2000 { k := rand.Intn(1000); for _, b := range kept[k] { if b != byte(k) { os.Exit(3) } }
			kept[k] = make([]byte, rand.Intn(20000)); for i := range kept[k] { kept[k][i] = byte(k) } }
		os.WriteFile("done", []byte(strconv.Itoa(n)), 0o644)
	}
}
`))
		if out, err := cmd.CombinedOutput(); err != nil {
			w.t.Fatalf("%v\n%s", err, out)
		}
		return []string{filepath.Join(w.dir, "busy")}
	}}, done: counted},
	{subject: subject{name: "C, splits and joins", ask: works, argv: testProgram("splits")}, done: counted},
	{subject: named("postgres"), load: func(w *world) int {
		started(w, exec.Command("sh", "-c", `while echo "select count(*) from (select md5(i::text) from generate_series(1,20000) i order by 1) x;"; do :; done |
			exec psql -h "$0" -U postgres -At -v ON_ERROR_STOP=1 >served`, w.dir))
		for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
			out, _ := exec.Command("psql", "-h", w.dir, "-U", "postgres", "-Atc", "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()").Output()
			if pid, err := strconv.Atoi(strings.TrimSpace(string(out))); err == nil {
				return pid
			}
		}
		w.t.Fatal("no backend")
		return 0
	}, done: func(w *world) int {
		text, _ := os.ReadFile(filepath.Join(w.dir, "served"))
		return strings.Count(string(text), "20000\n")
	}},
}

// mapped looks once, and fails the test where that fails or finds nothing.
func mapped(t *testing.T, pid int, by ...string) {
	t.Helper()
	argv := append(by, built.vmblame, "map", "--json", strconv.Itoa(pid))
	out, err := exec.Command(argv[0], argv[1:]...).Output()
	var r analysis.Report
	if err != nil {
		t.Fatalf("%v: %v", argv, err)
	}
	if err := json.Unmarshal(out, &r); err != nil || len(r.Processes) != 1 || len(ranges(r.Processes[0].Holders)) < 10 {
		t.Fatalf("%v: %v, %.300s", argv, err, out)
	}
	for _, h := range r.Processes[0].Holders {
		if h.Resident != nil && *h.Resident > h.Reserved {
			t.Errorf("%s: %d bytes, of which %d are in memory", h.Label, h.Reserved, *h.Resident)
		}
	}
}

// stopped counts the threads of a process that stand still because somebody made them, or are traced.
func stopped(pid int) (n int) {
	for _, tid := range procfs.Tasks(pid) {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/status", pid, tid))
		if s := string(text); strings.Contains(s, "State:\tT") || strings.Contains(s, "State:\tt") || len(text) > 0 && !strings.Contains(s, "TracerPid:\t0\n") {
			n++
		}
	}
	return n
}

// harm is what would stop or change another process.
var harm = regexp.MustCompile(`(?m)^\d+ +(ptrace|process_vm_writev|process_madvise|process_mrelease|move_pages|migrate_pages|pidfd_send_signal|rt_sigqueueinfo)\(`)

// harmless fails the test if one look, seen by strace, does to the process anything but reading.
func harmless(t *testing.T, pid int) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "calls")
	mapped(t, pid, "strace", "-f", "-q", "-s", "4096", "-o", log)
	text, err := os.ReadFile(log)
	if err != nil || !strings.Contains(string(text), fmt.Sprintf("process_vm_readv(%d,", pid)) {
		t.Fatalf("strace: %v, %d bytes", err, len(text))
	}
	does := append(harm.FindAllString(string(text), -1), regexp.MustCompile(fmt.Sprintf(`(?m)^\d+ +(kill|tkill|tgkill|rt_tgsigqueueinfo)\(%d,.*`, pid)).FindAllString(string(text), -1)...)
	does = append(does, regexp.MustCompile(fmt.Sprintf(`(?m)^.*open(at|at2)?\([^"]*"/proc/%d/.*(O_WRONLY|O_RDWR).*`, pid)).FindAllString(string(text), -1)...)
	if len(does) > 0 {
		t.Errorf("map does %q", does)
	}
}

// resident returns what is in memory of each row.
func resident(t *testing.T, pid int) map[vm.Range]vm.SmapsEntry {
	t.Helper()
	rows, err := procfs.Smaps(pid)
	if err != nil {
		t.Fatal(err)
	}
	of := map[vm.Range]vm.SmapsEntry{}
	for _, e := range rows {
		of[e.Range] = e
	}
	return of
}

// TestMapBusy maps programs that work: none of them is stopped, ends or errs by it, and of one that stands still, because the test
// makes it, no page comes into memory.
func TestMapBusy(t *testing.T) {
	testenv.Need(t, "root", "strace")
	maps := *mapsFlag
	if maps == 0 {
		maps = 10
	} else {
		fmt.Printf("\n| program | maps | work done meanwhile | stopped | pages made resident |\n| --- | ---: | ---: | ---: | ---: |\n")
	}
	for _, b := range busyPrograms {
		if *mapsFlag == 0 && b.name != "go" && b.name != "C, splits and joins" {
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			testenv.Optional(t, b.needs...)
			w, end := b.start(t)
			defer end()
			pid := w.pid
			if b.load != nil {
				pid = b.load(w)
			}
			before := b.done(w)
			var seen atomic.Int64
			func() {
				var over atomic.Bool
				sampled := make(chan struct{})
				go func() {
					defer close(sampled)
					for !over.Load() {
						seen.Add(int64(stopped(pid)))
					}
				}()
				defer func() { over.Store(true); <-sampled }() // where mapped ends the test, too
				for range maps {
					mapped(t, pid)
				}
			}()
			harmless(t, pid)
			for until := time.Now().Add(patience); b.done(w) <= before; time.Sleep(time.Millisecond) {
				if time.Now().After(until) {
					t.Fatalf("it works no more: %d, %s", before, w.stderr())
				}
			}
			work := b.done(w) - before

			if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			for until := time.Now().Add(patience); stopped(pid) < len(procfs.Tasks(pid)); {
				if time.Now().After(until) {
					t.Fatal("it does not stop")
				}
			}
			first, still := resident(t, pid), max(maps/10, 3)
			for range still {
				mapped(t, pid)
			}
			came := uint64(0)
			for r, e := range resident(t, pid) {
				if was := first[r]; e.Rss > was.Rss {
					came += e.Rss - was.Rss
					t.Errorf("%v has %d bytes in memory, before %d", r, e.Rss, was.Rss)
				}
			}
			if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			for until := time.Now().Add(patience); b.done(w) <= before+work; time.Sleep(time.Millisecond) {
				if time.Now().After(until) {
					t.Fatalf("it does not go on: %s", w.stderr())
				}
			}
			if seen.Load() > 0 {
				t.Errorf("threads were seen stopped %d times", seen.Load())
			}
			if *mapsFlag > 0 {
				fmt.Printf("| %s | %d | %d | %d | %d |\n", b.name, maps+still+1, work, seen.Load(), came/vm.PageSize)
			}
		})
	}
}
