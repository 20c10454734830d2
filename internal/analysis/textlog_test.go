package analysis

import (
	"fmt"
	"strings"

	"github.com/vmblame/vmblame/internal/eventlog"
)

// textLog is a log in memory: a header, a space (id 1, pid 10) with a page of its executable, and lines.
func textLog(lines ...string) Open { return textLogIn(`{"overcommit":0}`, lines...) }

// textLogIn is textLog with that environment.
func textLogIn(environment string, lines ...string) Open {
	return textLogOf(`"x"`, environment, lines...)
}

// textLogOf is textLogIn of a program with those arguments.
func textLogOf(argv, environment string, lines ...string) Open {
	text := `{"type":"header","format":"vmblame","version":1,"tool":"t","mode":"run","command":["x"],"started":"2026-01-01T00:00:00Z","host":{"kernel":"6.1","arch":"x86_64","page_size":4096,"cpus":2,"hostname":"h"},"environment":` + environment + `}
{"type":"space","space":1,"t":1,"after":0,"pid":10,"cause":"launch","parent":null,"exe":"/bin/x","argv":[` + argv + `],"mappings":[` + pageOfExe + `]}
{"type":"thread","t":1,"tid":10,"pid":10,"space":1,"what":"start","name":"x"}
` + strings.Join(lines, "\n") + "\n"
	return func() (*eventlog.Reader, error) { return eventlog.NewReader(strings.NewReader(text)) }
}

const pageOfExe = `{"start":"0x400000","end":"0x401000","perms":"r-xp","offset":0,"dev":"fe:00","inode":9,"path":"/bin/x","origin":null,"origin_cause":"kernel","exec":null}`

// mapLine and unmapLine are events of 10000 ns each.
func mapLine(seq int, start, end uint64) string {
	return fmt.Sprintf(`{"type":"event","seq":%d,"t":%d,"space":1,"pid":10,"tid":10,"call":"mmap","args":{"addr":"0x0","length":%d,"prot":3,"flags":34,"fd":-1,"offset":0},"result":"%#x","stack":null,"changes":[{"start":"%#x","end":"%#x","was":null,"now":%s}]}`,
		seq, 10000*seq, end-start, start, start, end, anonPage(seq))
}

func unmapLine(seq int, start, end uint64, origin int) string {
	return fmt.Sprintf(`{"type":"event","seq":%d,"t":%d,"space":1,"pid":10,"tid":10,"call":"munmap","args":{"addr":"%#x","length":%d},"result":0,"stack":null,"changes":[{"start":"%#x","end":"%#x","was":%s,"now":null}]}`,
		seq, 10000*seq, start, end-start, start, end, anonPage(origin))
}

func anonPage(origin int) string {
	return fmt.Sprintf(`{"perms":"rw-p","offset":0,"dev":"00:00","inode":0,"path":"","origin":%d}`, origin)
}

// churn is n times a mapping of one size and its end, at the same address.
func churn(n, seq int, size uint64) (lines []string) {
	const at = 0x7f0000000000
	for range n {
		lines = append(lines, mapLine(seq+1, at, at+size), unmapLine(seq+2, at, at+size, seq+1))
		seq += 2
	}
	return lines
}
