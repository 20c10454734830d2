package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/testenv"
)

// TestStorm is the proof of order: threads whose freed pages the kernel gives to each other at once.
func TestStorm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		threads, calls int
		more           string // the program's seed, and how many ranges a thread may have
		flags          []string
	}{
		{"8 threads", 8, testenv.Often(1200, 20000), "1", nil},
		{"32 threads", 32, testenv.Often(300, 5000), "2", nil},
		{"8 threads, each event proven", 8, testenv.Often(600, 20000), "3", []string{"--verify=each"}},
		{"32 threads, each event proven", 32, testenv.Often(150, 500), "4", []string{"--verify=each"}},
		{"8 threads without a filter", 8, testenv.Often(400, 2000), "5", []string{"--no-seccomp"}},
		{"many ranges", 4, testenv.Often(1000, 5000), "6 32", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := strings.Fields(fmt.Sprint(c.threads, " ", c.calls, " ", c.more))
			r := trace(t, c.flags, "storm", args...)
			if r.status != "exit status 0" || r.stdout != "" || r.stderr != "" {
				t.Errorf("storm ended with %v", r.outcome)
			}
			r.hold(t, allow{})
			threads := map[int]bool{}
			pages := uint64(0)
			for _, s := range r.account.sections {
				for _, l := range s.live {
					threads[l.tid] = true
					pages += l.Len() / 4096
				}
			}
			if len(r.account.sections) != 1 || len(r.log.spaces) != 1 || len(threads) < 4 || pages < 300 {
				t.Errorf("%d sections, %d spaces; %d pages of %d threads are live", len(r.account.sections), len(r.log.spaces), pages, len(threads))
			}
			end := r.log.end
			if len(r.log.drifts) != 0 || end.Drifts != 0 || end.Lost != 0 {
				t.Errorf("%d drifts, %d lost", end.Drifts, end.Lost)
			}
			if len(c.flags) > 0 && c.flags[0] == "--verify=each" && end.Checks < end.Events {
				t.Errorf("%d checks of %d events", end.Checks, end.Events)
			}
			t.Logf("%d events, %d stacks, %d checks", end.Events, end.Stacks, end.Checks)
		})
	}
}

// TestRacy: threads that fight for the same pages with every kind of call, failing ones included. What each
// did cannot be said; that the ledger equals the kernel's view, at the end and after each event, can.
func TestRacy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		threads, calls int
		more           string // the program's seed, and whether it makes rings of aio
		flags          []string
		may            allow
	}{
		{"8 threads", 8, testenv.Often(500, 4000), "1", nil, allow{}},
		{"32 threads", 32, testenv.Often(250, 1000), "2", nil, allow{}},
		{"each event proven", 8, testenv.Often(250, 1500), "3", []string{"--verify=each"}, allow{}},
		{"without a filter", 8, testenv.Often(250, 1000), "4", []string{"--no-seccomp"}, allow{}},
		// io_destroy waits for longer than others are made to wait for it.
		{"aio rings", 8, testenv.Often(250, 2000), "5 1", nil, allow{uncertain: true, otherDrift: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := trace(t, c.flags, "racy", strings.Fields(fmt.Sprint(c.threads, " ", c.calls, " ", c.more))...)
			if r.status != "exit status 0" || r.stdout != "" || r.stderr != "" {
				t.Errorf("racy ended with %v", r.outcome)
			}
			r.hold(t, c.may)
			if s := r.account.sections; len(s) != 1 || !s[0].ended || len(s[0].maps) < 20 {
				t.Errorf("the account is not whole: %d sections", len(s))
			}
			for _, call := range []string{"mmap", "munmap", "mprotect", "mremap", "brk", "shmat", "shmdt"} {
				done, failed := 0, 0
				for i := range r.log.events {
					if e := &r.log.events[i]; e.call == call && e.error == "" {
						done++
					} else if e.call == call {
						failed++
					}
				}
				if done == 0 || failed == 0 && call != "munmap" && call != "brk" && call != "shmat" {
					t.Errorf("%s: %d done, %d failed", call, done, failed)
				}
			}
		})
	}
}
