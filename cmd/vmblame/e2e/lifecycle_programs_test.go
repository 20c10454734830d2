package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/vmblame/vmblame/internal/testenv"
)

// sources of what the programs below work on.
var sources = map[string]string{
	"part.c": `#include <stdlib.h>
int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
int NAME(int n) { int *v = malloc(n * sizeof *v); for (int i = 0; i < n; i++) v[i] = rand(); qsort(v, n, sizeof *v, compare); n = v[0]; free(v); return n; }
`,
	"Makefile": "all: $(patsubst %,part%.o,1 2 3 4 5 6 7 8)\n\tcat $^ | md5sum\npart%.o: part.c\n\tgcc -O2 -DNAME=part$* -c -o $@ $<\n",
	"go.mod":   "module example\n\ngo 1.26\n",
	"main.go":  "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"built\") }\n",
}

// Real programs do the same under vmblame as without: what they write, how they end.
func TestRealPrograms(t *testing.T) {
	t.Parallel()
	for _, p := range []struct {
		name   string
		argv   []string
		strict bool // at least 99 % of the stacks reach their outermost frame
		many   bool // only where CI is set
	}{
		{"python", []string{"python3", "-c", "import json, ssl, sqlite3; print(json.dumps(sqlite3.connect(':memory:').execute('select 6*7').fetchall()))"}, true, false},
		{"gcc", []string{"gcc", "-O2", "-DNAME=part", "-c", "part.c", "-o", "part.o"}, true, true},
		{"go", []string{"sh", "-c", "go build -o built . && ./built"}, true, true},
		{"node", []string{"node", "-e", "console.log(require('zlib').gzipSync('x'.repeat(1e6)).length)"}, true, false},
		{"java", []string{"java", "-version"}, true, false},
		{"make", []string{"make", "-s", "-j4"}, true, true},
		{"bash", []string{"bash", "-c", `seq 1000 | sort -r | head -n 3; for i in 1 2 3; do (exit $i); echo $?; done; wc -c < <(echo x); x=$(ls -d /); echo "$x" | tee /dev/stderr; ! false | true; exit 4`}, false, false},
	} {
		if p.many && !testenv.CI() {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			if p.name == "python" {
				p.argv[0] = testenv.Python(t)
			}
			var ran [2]*child
			log := filepath.Join(t.TempDir(), "log.jsonl")
			for i, before := range [][]string{nil, {built.vmblame, "run", "-q", "-o", log, "--"}} {
				dir := t.TempDir()
				for name, text := range sources {
					if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				ran[i] = begin(t, append(before, p.argv...), func(cmd *exec.Cmd) { cmd.Dir = dir })
			}
			ran[1].mustEnd(ran[0].ended())
			for _, name := range []string{"stdout", "stderr"} {
				if a, b := ran[0].text(name), ran[1].text(name); a != b {
					t.Errorf("it writes to %s\n%s\nunder vmblame\n%s", name, a, b)
				}
			}
			s := proven(t, log)
			if s.end.Checks == 0 || s.end.Events == 0 {
				t.Errorf("%+v", *s.end)
			}
			t.Logf("%d events, %d stacks, %d complete, others: %v", s.end.Events, s.stacks, s.complete, s.reasons)
			if p.strict && s.complete*100 < s.stacks*99 {
				t.Errorf("%d of %d stacks are complete, others: %v", s.complete, s.stacks, s.reasons)
			}
		})
	}
}

// A server that is launched, serves its clients and is told to end.
func TestRunServer(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "redis-server", "redis-benchmark")
	dir := t.TempDir()
	socket := filepath.Join(dir, "socket")
	log := filepath.Join(dir, "log.jsonl")
	c := launch(t, log, "redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--dir", dir)
	var stop atomic.Bool
	var rounds atomic.Int64
	var clients sync.WaitGroup
	for i := range 2 {
		conn := dial(t, socket)
		clients.Go(func() {
			if err := conn.load(fmt.Sprint("key", i), &stop, &rounds); err != nil {
				t.Errorf("client: %v", err)
			}
		})
	}
	bench := begin(t, []string{"redis-benchmark", "-s", socket, "-q", "-n", "3000", "-d", "100000", "-t", "set,get,lpush"})
	bench.mustEnd("exit status 0")
	if lines := regexp.MustCompile(`requests per second`).FindAllString(bench.text("stdout"), -1); len(lines) != 3 {
		t.Errorf("redis-benchmark: %s", bench.text("stdout"))
	}
	stop.Store(true)
	clients.Wait()
	c.signal(syscall.SIGTERM)
	c.mustEnd("exit status 0")
	if out := c.text("stdout"); !strings.Contains(out, "bye bye") {
		t.Error(out)
	}
	s := proven(t, log)
	if s.end.Checks == 0 || s.complete*100 < s.stacks*99 {
		t.Errorf("%+v; %d of %d stacks are complete, others: %v", *s.end, s.complete, s.stacks, s.reasons)
	}
}
