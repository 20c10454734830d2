package inspect

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/testenv"
)

// server starts a program that serves until the end of the test, and waits until ask succeeds, whose answer it returns.
func server(t *testing.T, cmd *exec.Cmd, ask func() ([]byte, error)) (*Live, []classify.Finding, string) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(time.Minute):
			cmd.Process.Kill()
			<-ended
		}
	})
	for {
		if answer, err := ask(); err == nil {
			l, err := OpenLive(cmd.Process.Pid)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(l.Close)
			return l, Look(&l.Process), strings.TrimSpace(string(answer))
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%v: %v", cmd.Args, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// TestInnoDB: the buffer pool is as large as the server says that it is, and what it may become is reserved.
func TestInnoDB(t *testing.T) {
	testenv.Optional(t, "root", "mariadbd", "mariadb-install-db", "mariadb")
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	if b, err := exec.Command("mariadb-install-db", "--no-defaults", "--user=root", "--auth-root-authentication-method=normal", "--datadir="+dir+"/d").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	l, found, said := server(t, exec.Command("mariadbd", "--no-defaults", "--user=root", "--skip-networking", "--datadir="+dir+"/d", "--socket="+socket, "--innodb-buffer-pool-size=64M"),
		func() ([]byte, error) {
			return exec.Command("mariadb", "--no-defaults", "-N", "-S", socket, "-e", "select @@innodb_buffer_pool_size, @@innodb_buffer_pool_size_max, @@key_buffer_size, @@aria_pagecache_buffer_size, @@innodb_log_buffer_size").Output()
		})
	want := strings.Fields(said)
	if len(want) != 5 {
		t.Fatalf("said %q", said)
	}
	// Caches take a part of what they may have by malloc, for the descriptions of their blocks.
	for detail, i := range map[string]int{"key cache": 2, "page cache of Aria": 3, "buffer of InnoDB's log": 4} {
		most, _ := strconv.ParseUint(want[i], 10, 64)
		got := bytesOf(l, found, classify.MySQLBuffer, detail, true)
		if got == 0 && i == 4 {
			continue // the kernel may show its buffers as one row with what lies below: then they stay unknown
		}
		if got < most*3/4 || got > 2*most {
			t.Errorf("%s has %d bytes, the server says %d", detail, got, most)
		}
	}
	usable, all := bytesOf(l, found, classify.InnoDBPool, "", true), bytesOf(l, found, classify.InnoDBPool, "", false)
	limit, err := strconv.ParseUint(want[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	// One extent more is reserved, so that the pool can begin at a multiple of one; what of it is behind the pool counts.
	if strconv.FormatUint(usable, 10) != want[0] || all < limit || all > limit+innodbExtent {
		t.Errorf("pool of %d bytes, %d reserved, the server says %q", usable, all, want)
	}
}

// TestPostgres: the size of the segment equals what the server reports as its shared memory, rounded up to a huge
// page.
func TestPostgres(t *testing.T) {
	testenv.Optional(t, "root", "postgres", "initdb", "psql")
	dir := t.TempDir()
	nobody := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	for d := dir; d != filepath.Dir(os.TempDir()) && d != "/"; d = filepath.Dir(d) {
		if d != os.TempDir() {
			if err := os.Chmod(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	initdb := exec.Command("initdb", "-U", "postgres", "-D", dir+"/d")
	initdb.SysProcAttr, initdb.Dir = nobody, dir
	if b, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	run := exec.Command("postgres", "-D", dir+"/d", "-k", dir, "-c", "listen_addresses=", "-c", "shared_buffers=40MB")
	run.SysProcAttr, run.Dir = nobody, dir
	l, found, said := server(t, run, func() ([]byte, error) {
		return exec.Command("psql", "-h", dir, "-U", "postgres", "-Atc", "select sum(allocated_size) from pg_shmem_allocations").Output()
	})
	want, _ := strconv.ParseUint(said, 10, 64)
	if got := bytesOf(l, found, classify.SharedAnon, "PostgreSQL's shared memory", false); got < want || got > want+2<<20 || want < 40<<20 {
		t.Errorf("%d bytes found, the server says %d", got, want)
	}
}
