package analysis

import (
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/eventlog"
)

// TestContent: what memory told of one row of an attached process divides it, at every moment of the log.
func TestContent(t *testing.T) {
	text := `{"type":"header","format":"vmblame","version":1,"tool":"vmblame","mode":"attach","command":["a"],"started":"2026-01-02T03:04:05Z","host":{"kernel":"6.1","arch":"x86_64","page_size":4096,"cpus":2,"hostname":"h"},"environment":{}}
{"type":"space","space":1,"t":0,"after":0,"pid":7,"cause":"attach","parent":null,"exe":"/a","argv":[],"mappings":[{"start":"0x10000","end":"0x30000","perms":"rw-p","offset":0,"dev":"00:00","inode":0,"path":"","origin":null,"origin_cause":"before attach"}]}
{"type":"thread","t":0,"tid":7,"pid":7,"space":1,"what":"start","name":"a"}
{"type":"event","seq":1,"t":10,"space":1,"pid":7,"tid":7,"call":"munmap","args":{"addr":"0x18000","length":4096},"result":0,"stack":null,"changes":[{"start":"0x18000","end":"0x19000","was":{"perms":"rw-p","offset":0,"dev":"00:00","inode":0,"path":"","origin":null,"origin_cause":"before attach"},"now":null}]}
{"type":"content","t":20,"after":1,"space":1,"findings":[{"kind":"glibc-large","confidence":"certain","evidence":"its header","parts":[{"start":"0x20000","end":"0x30000"}]}]}
{"type":"end","t":30,"cause":"detach","exit":null,"events":1,"stacks":0,"checks":0,"drifts":0,"lost":0}
`
	log := func() (*eventlog.Reader, error) { return eventlog.NewReader(strings.NewReader(text)) }
	for _, at := range []Moment{{}, {Kind: AtSeq, Seq: 0}} {
		s, err := Load(log, at, nil)
		if err != nil {
			t.Fatal(err)
		}
		sizes := map[classify.Kind]uint64{}
		for _, m := range s.processes[0].mappings {
			sizes[m.Kind] += m.Len()
		}
		if sizes[classify.GlibcLarge] != 0x10000 {
			t.Errorf("at %v: %v", at, sizes)
		}
	}
}
