package e2e

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vmblame/vmblame/internal/testenv"
)

// A client of redis that checks every reply, in the protocol's own words (redis.io, RESP2).
type client struct {
	conn net.Conn
	in   *bufio.Reader
}

func dial(t *testing.T, path string) *client {
	t.Helper()
	var conn net.Conn
	eventually(t, "redis listens", func() (ok bool) {
		var err error
		conn, err = net.Dial("unix", path)
		return err == nil
	})
	t.Cleanup(func() { conn.Close() })
	return &client{conn, bufio.NewReader(conn)}
}

// do sends a command and compares the reply.
func (c *client) do(want string, words ...string) error {
	_ = c.conn.SetDeadline(time.Now().Add(patience))
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
	}
	if _, err := io.WriteString(c.conn, b.String()); err != nil {
		return err
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c.in, got); err != nil {
		return fmt.Errorf("%s: %w", words[0], err)
	}
	if string(got) != want {
		return fmt.Errorf("%s: another reply than expected", words[0])
	}
	return nil
}

// load sends commands until told to stop. Values of up to 2 MiB make jemalloc map and unmap.
// Each round of four is counted.
func (c *client) load(key string, stop *atomic.Bool, count *atomic.Int64) (err error) {
	random := rand.New(rand.NewPCG(1, 2))
	for rounds := 0; !stop.Load(); rounds++ {
		value := strings.Repeat(string(rune('a'+rounds%26)), random.IntN(2<<20))
		for _, step := range []struct {
			want  string
			words []string
		}{
			{"+OK\r\n", []string{"SET", key, value}},
			{fmt.Sprintf("$%d\r\n%s\r\n", len(value), value), []string{"GET", key}},
			{fmt.Sprintf(":%d\r\n", rounds+1), []string{"INCR", key + "-count"}},
			{":1\r\n", []string{"UNLINK", key}},
		} {
			if err = c.do(step.want, step.words...); err != nil {
				return err
			}
		}
		count.Add(1)
	}
	return nil
}

func TestAttachToServer(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "socket")
	c := begin(t, []string{"redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--dir", dir, "--hz", "100"})
	var stop atomic.Bool
	var clients sync.WaitGroup
	var rounds atomic.Int64
	for i := range 3 {
		conn := dial(t, socket)
		clients.Go(func() {
			if err := conn.load(fmt.Sprint("key", i), &stop, &rounds); err != nil {
				t.Errorf("client: %v", err)
			}
		})
	}
	visit(t, testenv.Often(9, 50), "200ms", c.pid)
	eventually(t, "the clients are served", func() bool { return rounds.Load() >= 50 || t.Failed() })
	stop.Store(true)
	clients.Wait()
	if err := dial(t, socket).do("+PONG\r\n", "PING"); err != nil {
		t.Error(err)
	}
	t.Logf("%d rounds of 4 commands", rounds.Load())
}
