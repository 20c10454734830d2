package main

import (
	"path/filepath"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
)

// TestSnapshotEvery: while a program runs its log gets snapshots, and is consistent with them. The program ends when it has
// seen one in the log.
func TestSnapshotEvery(t *testing.T) {
	dir := t.TempDir()
	r := vmblame(t, dir, "run", "-q", "--no-follow", "--snapshot-every", "10ms", "-o", "log.jsonl", "sh", "-c", `until grep -q '"cause":"interval"' log.jsonl; do sleep 0.02; done`)
	r.wants(t, 0)
	log := filepath.Join(dir, "log.jsonl")
	n := 0
	for _, s := range pick[*eventlog.Snapshot](records(t, log)) {
		if s.Cause == "interval" {
			n++
			if len(s.System) == 0 || len(s.Mappings) == 0 {
				t.Errorf("an empty snapshot: %+v", s)
			}
		}
	}
	if n == 0 {
		t.Error("no snapshot")
	}
	vmblame(t, dir, "check", "log.jsonl").wants(t, 0)
	vmblame(t, dir, "run", "--snapshot-every", "1ms", "sh").wants(t, 2, "at least 10ms")
}
