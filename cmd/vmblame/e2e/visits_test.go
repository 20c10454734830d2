package e2e

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/testenv"
)

var visits = flag.Int("visits", 2, "how often TestVisits attaches to each program, and TestKills kills vmblame")

// manyVisits are enough for programs that take long to start.
const manyVisits = 10

// host is a program that is attached to, and tells itself what that did to it.
type host struct {
	name  string
	large bool // takes long to start
	needs []string
	start func(t *testing.T) *hosting
}

// hosting is a host that runs.
type hosting struct {
	c    *child
	pids []int // that are attached to
	end  func() ailment
}

// ailment is what a program noticed.
type ailment struct {
	calls, eintr, early, wrong int // calls whose end was looked at; that ended with EINTR, before their time, otherwise
	signals, lost, disorder    int
	end                        string // how it ended where it should not have
}

// account reads the last line of testdata's visited and visited_go.
func (a *ailment) account(line string) {
	for word := range strings.FieldsSeq(line) {
		key, value, _ := strings.Cut(word, "=")
		for name, to := range map[string]*int{"calls": &a.calls, "eintr": &a.eintr, "early": &a.early, "wrong": &a.wrong, "signals": &a.signals, "lost": &a.lost, "disorder": &a.disorder} {
			if key == name {
				_, _ = fmt.Sscan(value, to)
			}
		}
	}
}

// ends waits for the program's end, which should be this one.
func (a *ailment) ends(c *child, want string) {
	if got := c.ended(); got != want {
		a.end = got
	}
}

// waiters is testdata's visited with so many threads.
func waiters(threads int) func(t *testing.T) *hosting {
	return func(t *testing.T) *hosting {
		c := begin(t, []string{prog(t, "visited"), fmt.Sprint(threads)})
		eventually(t, "visited is ready", func() bool { return c.line("ready") != "" })
		return &hosting{c: c, pids: []int{c.pid}, end: func() (a ailment) {
			c.signal(syscall.SIGTERM)
			a.ends(c, "exit status 0")
			a.account(c.line("visited"))
			return a
		}}
	}
}

// storming maps and unmaps with eight threads as fast as they can.
func storming(t *testing.T) *hosting {
	c := begin(t, []string{prog(t, "storm"), "8", "0", "1"})
	eventually(t, "storm is ready", func() bool { return c.line("ready") != "" })
	return &hosting{c: c, pids: []int{c.pid}, end: func() (a ailment) {
		c.signal(syscall.SIGTERM)
		a.ends(c, "exit status 0")
		return a
	}}
}

// echoing is a program that says "ready", echoes the lines of its standard input, and when that closes writes what it
// noticed. A client asks it all the time.
func echoing(env string, argv func(t *testing.T) []string) func(t *testing.T) *hosting {
	return func(t *testing.T) *hosting {
		var stdin io.WriteCloser
		var stdout io.ReadCloser
		c := begin(t, argv(t), func(cmd *exec.Cmd) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			in, out, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd.Stdin, stdin, cmd.Stdout, stdout = r, w, out, in
			if env != "" {
				cmd.Env = append(cmd.Environ(), env)
			}
		})
		c.cmd.Stdin.(*os.File).Close()
		t.Cleanup(func() { stdin.Close(); stdout.Close() })
		lines := bufio.NewScanner(stdout)
		if !lines.Scan() || lines.Text() != "ready" {
			t.Fatalf("%v: %q, %s", c.cmd.Args, lines.Text(), c.text("stderr"))
		}
		var stop atomic.Bool
		var client sync.WaitGroup
		asked, wrong := 0, 0
		client.Go(func() {
			for !stop.Load() {
				if _, err := fmt.Fprintf(stdin, "%d\n", asked); err != nil || !lines.Scan() || lines.Text() != fmt.Sprint(asked) {
					wrong++
					return
				}
				asked++
				time.Sleep(time.Millisecond) // not a wait for anything: it has other things to do, too
			}
		})
		return &hosting{c: c, pids: []int{c.pid}, end: func() (a ailment) {
			stop.Store(true)
			client.Wait()
			stdin.Close()
			for lines.Scan() {
				a.account(lines.Text())
			}
			a.ends(c, "exit status 0")
			a.calls += asked
			a.wrong += wrong
			return a
		}}
	}
}

var goServer = echoing("GODEBUG=asyncpreemptoff=1", func(t *testing.T) []string { return []string{prog(t, "visited_go")} })

// javaServer and nodeServer map by what their heaps and threads need, and wait with timeouts that they time.
var javaServer = echoing("", func(t *testing.T) []string {
	source := filepath.Join(t.TempDir(), "Visited.java")
	text := `import java.io.*; import java.nio.*; import java.nio.channels.*; import java.util.concurrent.atomic.*;
public class Visited {
 static final AtomicLong calls = new AtomicLong(), early = new AtomicLong(), wrong = new AtomicLong();
 interface Wait { void run() throws Exception; }
 static void waiter(Wait w) {
  Thread t = new Thread(() -> { for (;;) { long s = System.nanoTime(); try { w.run(); } catch (Exception e) { wrong.incrementAndGet(); }
   calls.incrementAndGet(); if (System.nanoTime() - s < 4000000) early.incrementAndGet(); } });
  t.setDaemon(true); t.start(); }
 public static void main(String[] a) throws Exception {
  Selector selector = Selector.open();
  waiter(() -> Thread.sleep(5)); waiter(() -> selector.select(5));
  Thread mapper = new Thread(() -> { for (;;) try {
   Thread t = new Thread(() -> { byte[] b = new byte[1 << 20]; b[7] = 1; }); t.start(); t.join(); Thread.sleep(1);
  } catch (Exception e) { wrong.incrementAndGet(); } });
  mapper.setDaemon(true); mapper.start();
  BufferedReader in = new BufferedReader(new InputStreamReader(System.in)); System.out.println("ready");
  for (String line; (line = in.readLine()) != null; ) System.out.println(line);
  System.out.println("visited calls=" + calls + " early=" + early + " wrong=" + wrong);
 } }`
	if err := os.WriteFile(source, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return []string{"java", "-Xmx256m", source}
})

var nodeServer = echoing("", func(t *testing.T) []string {
	return []string{"node", "-e", `
const {Worker} = require("worker_threads");
const counts = new Int32Array(new SharedArrayBuffer(12)); // calls, early, wrong
for (let i = 0; i < 2; i++) new Worker(` + "`" + `
  const {workerData: counts} = require("worker_threads");
  const word = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    const start = performance.now();
    if (Atomics.wait(word, 0, 0, 5) != "timed-out") Atomics.add(counts, 2, 1);
    Atomics.add(counts, 0, 1);
    if (performance.now() - start < 4) Atomics.add(counts, 1, 1);
  }` + "`" + `, {eval: true, workerData: counts}).unref();
let kept = [];
setInterval(() => { kept.push(Buffer.alloc(3 << 20, 7)); if (kept.length > 8) { if (kept.some(b => b[99] != 7)) Atomics.add(counts, 2, 1); kept = []; } }, 3).unref();
const lines = require("readline").createInterface({input: process.stdin});
lines.on("line", l => console.log(l));
lines.on("close", () => { console.log("visited calls=" + counts[0] + " early=" + counts[1] + " wrong=" + counts[2]); process.exit(0); });
console.log("ready");
`}
})

// redisServer has clients that check every reply.
func redisServer(t *testing.T) *hosting {
	dir := t.TempDir()
	socket := filepath.Join(dir, "socket")
	c := begin(t, []string{"redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--dir", dir, "--hz", "100"})
	var stop atomic.Bool
	var clients sync.WaitGroup
	var rounds, wrong atomic.Int64
	for i := range 3 {
		conn := dial(t, socket)
		clients.Go(func() {
			if err := conn.load(fmt.Sprint("key", i), &stop, &rounds); err != nil {
				t.Errorf("client: %v", err)
				wrong.Add(1)
			}
		})
	}
	return &hosting{c: c, pids: []int{c.pid}, end: func() (a ailment) {
		stop.Store(true)
		clients.Wait()
		c.signal(syscall.SIGTERM)
		a.ends(c, "exit status 0")
		a.calls, a.wrong = 4*int(rounds.Load()), int(wrong.Load())
		return a
	}}
}

// postgresServer is the postmaster and those of its processes that serve clients, which add up what they write.
func postgresServer(t *testing.T) *hosting {
	w := &world{t: t, dir: t.TempDir()}
	var c *child
	for _, s := range subjects {
		if s.name == "postgres" {
			c = begin(t, s.argv(w))
		}
	}
	sql := func(statement string) (string, error) {
		out, err := exec.Command("psql", "-h", w.dir, "-U", "postgres", "-Atc", statement).Output()
		return strings.TrimSpace(string(out)), err
	}
	eventually(t, "postgres answers", func() bool { _, err := sql("create table sums (client int, n int)"); return err == nil })
	script := filepath.Join(w.dir, "script")
	if err := os.WriteFile(script, []byte("insert into sums values (:client_id, 1);\nselect sum(n), pg_sleep(0.002) from sums where client = :client_id;\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	bench := begin(t, []string{"pgbench", "-n", "-h", w.dir, "-U", "postgres", "-c", "3", "-T", "100000", "-f", script, "postgres"})
	h := &hosting{c: c, end: func() (a ailment) {
		bench.signal(syscall.SIGTERM) // it leaves SIGINT ignored where that was inherited so
		bench.ended()
		if text := bench.text("stderr"); strings.Contains(text, "aborted") || strings.Contains(text, "ERROR") {
			t.Error(text)
			a.wrong++
		}
		n, err := sql("select count(*) from sums")
		if err != nil {
			t.Error(err)
			a.wrong++
		}
		_, _ = fmt.Sscan(n, &a.calls)
		c.signal(syscall.SIGINT)
		a.ends(c, "exit status 0")
		return a
	}}
	eventually(t, "its clients are served", func() bool {
		h.pids = []int{c.pid}
		for _, pid := range childrenOf(c.pid) {
			if text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); strings.Contains(string(text), "SELECT") || strings.Contains(string(text), "INSERT") {
				h.pids = append(h.pids, pid)
			}
		}
		return len(h.pids) == 4
	})
	return h
}

var hosts = []host{
	{name: "16 threads in calls", start: waiters(16)},
	{name: "1,000 threads in calls", large: true, start: waiters(1000)},
	{name: "8 threads, a storm", start: storming},
	{name: "go", start: goServer},
	{name: "redis", large: true, needs: []string{"redis-server"}, start: redisServer},
	{name: "postgres", large: true, needs: []string{"postgres", "initdb", "psql", "pgbench", "setpriv"}, start: postgresServer},
	{name: "java", large: true, needs: []string{"java"}, start: javaServer},
	{name: "node", large: true, needs: []string{"node"}, start: nodeServer},
}

// signalState is what /proc says of each thread's signals.
type signalState map[int][4]string

// settledSignals is signalsOf when it has said the same for a while: runtimes mask all signals for a moment, while they start a thread,
// and on a busy machine that moment lasts as long as others run.
func settledSignals(pids []int) signalState {
	now := signalsOf(pids)
	for same, tries := 0, 0; same < 20 && tries < 500; tries++ {
		last := now
		time.Sleep(5 * time.Millisecond)
		if now = signalsOf(pids); last.differs(now) == 0 {
			same++
		} else {
			same = 0
		}
	}
	return now
}

func signalsOf(pids []int) signalState {
	s := make(signalState)
	for _, pid := range pids {
		for _, th := range threadsOf(pid) {
			dir := fmt.Sprintf("/proc/%d/task/%d", pid, th.tid)
			s[th.tid] = [4]string{field(dir, "SigBlk"), field(dir, "SigIgn"), field(dir, "SigCgt"), trapPending(dir)}
		}
	}
	return s
}

// trapPending is whether a SIGTRAP waits.
func trapPending(dir string) string {
	var own, shared uint64
	_, _ = fmt.Sscanf(field(dir, "SigPnd"), "%x", &own)
	_, _ = fmt.Sscanf(field(dir, "ShdPnd"), "%x", &shared)
	return fmt.Sprint((own|shared)>>(syscall.SIGTRAP-1)&1 != 0)
}

// differs counts the threads of both whose signals are not the same.
func (s signalState) differs(now signalState) (n int) {
	for tid, is := range now {
		if was, both := s[tid]; both && was != is && is[0] != "" {
			n++
		}
	}
	return n
}

// visitLog is what the log of a visit says.
func visitLog(t *testing.T, path string) (events uint64, drifts int) {
	t.Helper()
	if err := eventlog.CheckFile(path, func(p eventlog.Problem) { t.Errorf("%s: %v", path, p) }); err != nil {
		t.Errorf("check: %v", err)
		return 0, 0
	}
	in, err := eventlog.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	for {
		rec, err := in.Next()
		if errors.Is(err, io.EOF) {
			return events, drifts
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return events, drifts
		}
		switch rec := rec.(type) {
		case *eventlog.End:
			events = rec.Events
			if rec.Checks == 0 {
				t.Errorf("%s: %+v", path, *rec)
			}
		case *eventlog.Drift:
			if rec.Guess != "stack growth" {
				drifts++
				t.Logf("drift %q after %d: %d changes, first %+v", rec.Guess, rec.After, len(rec.Changes), rec.Changes[0])
			}
		case *eventlog.Note:
			t.Logf("note %s: %s", rec.Code, rec.Text)
		}
	}
}

// TestVisits attaches to programs by sigtrap and leaves them, again and again, and prints what they noticed of it
// (make visits: 200 times each).
func TestVisits(t *testing.T) {
	testenv.Need(t, "sigtrap")
	fmt.Printf("%-24s %7s %8s %8s %6s %6s %6s %8s %5s %6s %7s %7s %6s\n",
		"program", "visits", "events", "calls", "EINTR", "early", "wrong", "signals", "lost", "traced", "masks", "killed", "drifts")
	for i := range hosts {
		h := &hosts[i]
		if h.large && *visits < manyVisits {
			continue
		}
		t.Run(h.name, func(t *testing.T) {
			testenv.Need(t, h.needs...)
			rng := rand.New(rand.NewPCG(uint64(i), uint64(*visits)))
			run := h.start(t)
			before := settledSignals(run.pids)
			log := filepath.Join(t.TempDir(), "log.jsonl")
			var events uint64
			var left, changed, drifts, killed, made int
			for ; made < *visits && !run.c.over(); made++ {
				args := []any{"-q", "--backend=sigtrap"}
				span := time.Duration(1+rng.IntN(60)) * time.Millisecond
				interrupt := made%3 == 2
				if !interrupt {
					args = append(args, "--duration", span)
				}
				for _, pid := range run.pids {
					args = append(args, pid)
				}
				_ = os.Remove(log)
				a := attach(t, log, args...)
				if interrupt {
					eventually(t, "attached", func() bool { return a.over() || tracedBy(run.pids[0], a.pid) })
					time.Sleep(span) // not a wait for anything: any moment will do
					if !a.over() {
						a.signal(syscall.SIGINT)
					}
				}
				a.mustEnd("exit status 0")
				for _, pid := range run.pids {
					for _, th := range threadsOf(pid) {
						if th.tracer != 0 || th.state == 'T' || th.state == 't' {
							left++
						}
					}
				}
				// A program changes masks itself, for a moment: what stays changed is ours.
				n := 0
				for range 1000 {
					if n = before.differs(signalsOf(run.pids)); n == 0 {
						break
					}
					time.Sleep(time.Millisecond)
				}
				changed += n
				e, d := visitLog(t, log)
				events, drifts = events+e, drifts+d
			}
			for _, pid := range run.pids {
				if len(threadsOf(pid)) == 0 {
					killed++
				}
			}
			got := run.end()
			if got.end != "" {
				killed++
				t.Errorf("it ended with %s: %s", got.end, run.c.text("stderr"))
			}
			fmt.Printf("%-24s %7d %8d %8d %6d %6d %6d %8d %5d %6d %7d %7d %6d\n", h.name, made, events, got.calls, got.eintr, got.early, got.wrong, got.signals,
				got.lost+got.disorder, left, changed, killed, drifts)
			if made < *visits || got.calls == 0 && h.name != "8 threads, a storm" || got.eintr+got.early+got.wrong+got.lost+got.disorder+left+changed+killed != 0 {
				t.Errorf("%d visits, %+v; %s", made, got, run.c.text("account"))
			}
		})
	}
}

// TestKills kills a vmblame that is attached by sigtrap, at any moment from its first thread on, and prints what became of
// the program (make visits: 200 times each).
func TestKills(t *testing.T) {
	testenv.Need(t, "sigtrap")
	fmt.Printf("%-24s %7s %8s %8s %6s %6s %6s\n", "program", "kills", "killed", "calls", "EINTR", "wrong", "lost")
	for i := range hosts {
		h := &hosts[i]
		if h.large {
			continue
		}
		t.Run(h.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(uint64(i), uint64(*visits)))
			log := filepath.Join(t.TempDir(), "log.jsonl")
			var killed int
			var sum ailment
			for range *visits {
				run := h.start(t)
				_ = os.Remove(log)
				a := attach(t, log, "-q", "--backend=sigtrap", run.pids[0])
				for !a.over() && !anyTraced(run.pids[0], a.pid) {
					_, _, _ = syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
				}
				// Not a wait for anything: any moment will do, most of them soon.
				time.Sleep(time.Duration(rng.Float64() * rng.Float64() * float64(50*time.Millisecond)))
				a.signal(syscall.SIGKILL)
				a.mustEnd("signal: killed")
				got := run.end()
				if got.end != "" {
					killed++
					t.Errorf("it ended with %s: %s", got.end, run.c.text("stderr"))
				}
				sum.calls, sum.eintr, sum.wrong = sum.calls+got.calls, sum.eintr+got.eintr, sum.wrong+got.early+got.wrong
				sum.lost += min(got.lost, 1) // one may have been on its way
			}
			fmt.Printf("%-24s %7d %8d %8d %6d %6d %6d\n", h.name, *visits, killed, sum.calls, sum.eintr, sum.wrong, sum.lost)
			if sum.wrong > 0 || sum.eintr > *visits { // of calls mostly one at most: see tracer, interruptAll
				t.Errorf("%+v", sum)
			}
		})
	}
}

// anyTraced reports whether a process traces a thread of another.
func anyTraced(pid, tracer int) bool {
	for _, th := range threadsOf(pid) {
		if th.tracer == tracer {
			return true
		}
	}
	return false
}
