package inspect

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/testenv"
)

// TestJemalloc: what redis has of jemalloc adds up to what jemalloc says of itself, mapped and retained.
func TestJemalloc(t *testing.T) {
	testenv.Need(t, "redis-server", "redis-cli")
	socket := filepath.Join(t.TempDir(), "s")
	cmd := exec.Command("redis-server", "--port", "0", "--save", "", "--unixsocket", socket)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	cli := func(words ...string) string {
		out, _ := exec.Command("redis-cli", append([]string{"-s", socket}, words...)...).Output()
		return string(out)
	}
	for cli("ping") != "PONG\n" {
	}
	cli("eval", "for i = 1, 100000 do redis.call('set', 'key' .. i, string.rep('x', i % 300)) end", "0")
	stats := regexp.MustCompile(`mapped: (\d+), retained: (\d+)`).FindStringSubmatch(cli("memory", "malloc-stats"))
	if stats == nil {
		t.Fatal("redis has no statistics of jemalloc")
	}
	l, err := OpenLive(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var own, extents uint64
	for _, f := range Look(&l.Process) {
		for _, p := range f.Parts {
			switch f.Kind {
			case classify.JemallocOwn:
				own += p.Len()
			case classify.Jemalloc:
				extents += p.Len()
			}
		}
	}
	mapped, _ := strconv.ParseUint(stats[1], 10, 64)
	retained, _ := strconv.ParseUint(stats[2], 10, 64)
	if own+extents != mapped+retained || own == 0 || extents == 0 {
		t.Errorf("%d of base blocks and %d of extents, jemalloc says %d mapped and %d retained", own, extents, mapped, retained)
	}
}
