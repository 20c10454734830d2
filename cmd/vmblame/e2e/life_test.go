package e2e

import (
	"slices"
	"testing"
)

// killedInCall: a thread that is killed inside a call may pass its exit stop unseen, and its stack is gone.
var killedInCall = allow{killed: true, uncertain: true, incomplete: true}

var lifePrograms = []program{
	{name: "clone_vm", threads: 2},
	{name: "clone_vm_outlives", threads: 2},
	{name: "closes_all"},
	{name: "dies", args: []string{"6"}},
	{name: "dies", args: []string{"9"}, may: allow{killed: true}},
	{name: "dies", args: []string{"11", "3"}, threads: 4, may: killedInCall},
	{name: "dies", args: []string{"15", "3"}, threads: 4, may: killedInCall},
	{name: "exec_chain", spaces: []string{"launch", "exec", "exec", "exec"}},
	{name: "exec_fails"},
	{name: "exec_thread", spaces: []string{"launch", "exec"}, threads: 8, exits: 9, also: execByThread},
	{name: "exits", args: []string{"7"}},
	{name: "fork", spaces: []string{"launch", "fork"}, threads: 2},
	{name: "fork_dontfork", spaces: []string{"launch", "fork"}, threads: 2},
	{name: "fork_many", args: []string{"20"}, spaces: append([]string{"launch"}, slices.Repeat([]string{"fork"}, 20)...), threads: 21},
	{name: "fork_race", args: []string{"30"}, spaces: append([]string{"launch"}, slices.Repeat([]string{"fork"}, 30)...), threads: 35},
	{name: "leader_exit", threads: 3, also: leaderFirst},
	{name: "nested_tracer", spaces: []string{"launch", "fork"}, threads: 2},
	{name: "nolibc"},
	{name: "own_filter"},
	{name: "posix_spawn", spaces: []string{"launch", "exec"}, threads: 2},
	{name: "untraced", filter: true, spaces: []string{"launch", "fork", "fork"}, threads: 4},
	{name: "vfork", spaces: []string{"launch", "exec"}, threads: 2},
	{name: "vfork_exit", threads: 2},
}

// TestLifeOfSpaces runs what makes, shares, replaces and ends address spaces.
func TestLifeOfSpaces(t *testing.T) { runPrograms(t, lifePrograms) }

// execByThread: the thread that called execve is not the leader whose number the new image has.
func execByThread(t *testing.T, r *traced) {
	for i := range r.log.events {
		if e := &r.log.events[i]; e.call == "execve" && e.tid == e.pid {
			t.Errorf("event %d: execve by the leader, %d", e.seq, e.tid)
		}
	}
	last := r.log.spaces[1]
	for i := range r.log.events {
		if e := &r.log.events[i]; e.seq > last.After && (e.tid != last.PID || e.space != last.Space) {
			t.Errorf("event %d after the exec: thread %d in space %d", e.seq, e.tid, e.space)
		}
	}
}

// leaderFirst: the leader's exit comes before the last calls of the others.
func leaderFirst(t *testing.T, r *traced) {
	var order []int
	for _, th := range r.log.threads {
		if th.What == "exit" {
			order = append(order, th.TID)
		}
	}
	events := r.log.events
	if last := events[len(events)-1]; last.tid == last.pid {
		t.Errorf("the last call, %s, is the leader's; threads ended in the order %v", last.call, order)
	}
}

var disturbed = []program{
	{name: "churn", args: []string{"300"}, threads: -1, also: churned},
	{name: "eintr", args: []string{"1"}, spaces: []string{"launch", "fork"}, threads: 18},
	{name: "handler_maps"},
	{name: "populate_stuck", threads: 2, may: allow{uncertain: true}},
	{name: "signals", args: []string{"500"}, threads: 2},
	{name: "stopcont", args: []string{"10"}, spaces: []string{"launch", "fork"}, threads: 2, may: allow{killed: true}},
	{name: "uffd_unmap", threads: 2, may: allow{uncertain: true}},
}

// TestUndisturbed runs what a tracer may disturb: programs that tell themselves what went wrong.
func TestUndisturbed(t *testing.T) { runPrograms(t, disturbed) }

// churned: as many threads as the program has made, and each with a stack that pthread_create mapped.
func churned(t *testing.T, r *traced) {
	lines := r.account.other["threads"]
	if len(lines) != 1 {
		t.Fatalf("the account has %d lines of threads", len(lines))
	}
	made := int(lines[0].number("made"))
	starts := 0
	for _, th := range r.log.threads {
		if th.What == "start" {
			starts++
		}
	}
	if made < 100 || starts < made+1 {
		t.Errorf("the program made %d threads, %d start", made, starts)
	}
}
