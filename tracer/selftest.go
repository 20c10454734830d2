package tracer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/vmblame/vmblame/tracer/launcher"
)

// TestSigtrap finds out whether the backend BySigtrap works reliably here: a child makes a known number of mapping
// calls, each of which must stop it once, be counted once and be stamped once, in order; then some with SIGTRAP
// blocked, none of which may go unnoticed; then it calls execve, and the new image must be followed from its first
// call. It takes some milliseconds. t must have no tracees, and has none afterwards.
func (t *Tracer) TestSigtrap() error {
	if err := oneClock(); err != nil {
		return err
	}
	backend := t.backend
	if err := t.Arm(); err != nil {
		return err
	}
	err := t.withProbe(t.watchProbe)
	t.backend, t.armed = backend, armed{tracepoint: t.armed.tracepoint, advice: t.armed.advice}
	t.forgetProbe()
	return err
}

func (t *Tracer) forgetProbe() {
	t.queue, t.ready, t.parking = nil, nil, false
	clear(t.threads)
	clear(t.groups)
	clear(t.newborn)
}

// testBound is how long the probe may take before that is a failure.
const testBound = 5 * time.Second

// withProbe starts the probe, attaches to it and lets it go while watch follows it.
func (t *Tracer) withProbe(watch func(pid int) error) error {
	in, toProbe, err := os.Pipe()
	if err != nil {
		return err
	}
	defer toProbe.Close()
	fromProbe, out, err := os.Pipe()
	if err != nil {
		in.Close()
		return err
	}
	defer fromProbe.Close()
	pid, err := syscall.ForkExec("/proc/self/exe", []string{launcher.ProbeName, "3", "4"},
		&syscall.ProcAttr{Env: launcherEnv(), Files: []uintptr{0, 1, 2, in.Fd(), out.Fd()}})
	in.Close()
	out.Close()
	if err != nil {
		return fmt.Errorf("start the probe: %w", err)
	}
	defer t.reapProbe(pid)
	t.probing = true
	defer func() { t.probing = false }()
	var ready [launcher.StatusSize]byte
	if _, err := io.ReadFull(fromProbe, ready[:]); err != nil {
		return fmt.Errorf("start the probe: %w", err)
	}
	if _, err := t.Attach(pid, false); err != nil {
		return err
	}
	if t.armed.failure != nil {
		return t.armed.failure
	}
	// It is told to continue only when all of its threads are followed.
	go func() { _, _ = toProbe.Write([]byte{1}) }()
	return watch(pid)
}

// watchProbe follows the probe to its end and compares the numbers of stops, counts and stamps.
func (t *Tracer) watchProbe(pid int) error {
	const calls = 2 * launcher.ProbePairs
	within, done := t.bound(testBound)
	defer done()
	var times []uint64
	var seen, blocked, after int
	var last uint64
	execed := false
	for within() {
		s, err := t.Next()
		if errors.Is(err, io.EOF) {
			return errors.New("self-test: the probe ended before its time")
		}
		if err != nil {
			return err
		}
		if s.Thread == nil {
			continue
		}
		if s.Thread.TID == pid {
			if s.Order != 0 && s.Order <= last && s.Kind != Gone {
				return fmt.Errorf("self-test: time stamps run backwards")
			}
			last = max(last, s.Order)
			switch s.Kind {
			case Returned:
				switch {
				case execed:
					after++
				case seen < calls:
					if !s.Thread.event.agrees() {
						return errors.New("self-test: the kernel counts other calls than it tells of")
					}
					seen++
					times = append(times, Clock())
				default:
					blocked++
				}
			case Missed:
				blocked += int(s.Count)
			case Execed:
				if seen != calls || blocked < calls {
					return fmt.Errorf("self-test: %d of %d calls stopped the probe, %d of %d with SIGTRAP blocked were noticed", seen, calls, blocked, calls)
				}
				execed = true
				t.stopCost = betweenStops(times)
			case Exiting:
				if !s.Thread.event.agrees() || after == 0 {
					return errors.New("self-test: the new image after execve was not followed")
				}
				return nil
			}
		}
		if s.Kind != Gone && s.Kind != GroupStopped {
			t.Resume(s.Thread)
		}
	}
	return errors.New("self-test: the probe does not come on")
}

// agrees reports whether the kernel's count equals the number of records.
func (ev *lockEvent) agrees() bool { return ev != nil && ev.missing() == 0 && ev.lost == 0 }

// reapProbe ends the probe.
func (t *Tracer) reapProbe(pid int) {
	_ = syscall.Kill(pid, syscall.SIGKILL)
	for _, th := range t.threads {
		t.Resume(th)
	}
	for {
		s, err := t.Next()
		if err != nil {
			_, _ = syscall.Wait4(pid, nil, syscall.WALL, nil)
			return
		}
		if s.Thread != nil && s.Kind != Gone && s.Kind != GroupStopped {
			t.Resume(s.Thread)
		}
	}
}

// betweenStops estimates the cost of a stop: the lower quartile of the times between immediately successive stops,
// since other load only adds to them.
func betweenStops(times []uint64) time.Duration {
	if len(times) < 3 {
		return 0
	}
	gaps := make([]uint64, 0, len(times)-1)
	for i := range times[1:] {
		gaps = append(gaps, times[i+1]-times[i])
	}
	slices.Sort(gaps)
	return time.Duration(gaps[len(gaps)/4])
}

// StopCost is the cost of a stop measured by the self-test, for a call that does little, without the handling of the
// stop; 0 if unknown.
func (t *Tracer) StopCost() time.Duration { return t.stopCost }

// MeasureSyscallCost measures what BySyscall costs each system call, using a child.
func (t *Tracer) MeasureSyscallCost() time.Duration {
	t.backend = BySyscall
	var times []uint64
	_ = t.withProbe(func(pid int) error {
		within, done := t.bound(testBound)
		defer done()
		for within() && len(times) < 2*launcher.ProbePairs {
			s, err := t.Next()
			if err != nil {
				return err
			}
			if s.Kind == Returned && s.Thread.TID == pid {
				times = append(times, Clock())
			}
			if s.Thread != nil && s.Kind != Gone && s.Kind != GroupStopped {
				t.Resume(s.Thread)
			}
		}
		return nil
	})
	t.forgetProbe()
	return betweenStops(times)
}

// SigtrapWorks is TestSigtrap with success cached until the next boot.
func (t *Tracer) SigtrapWorks() error {
	done := readTested(testedFile())
	if cost, known := done.find(testedWith()); known {
		if err := t.mayWatch(); err != nil {
			return err
		}
		t.stopCost = cost
		return nil
	}
	if err := t.TestSigtrap(); err != nil {
		return err
	}
	done.add(testedWith(), t.stopCost)
	return nil
}

// oneClock returns why the time stamps of different processors cannot be compared, nil if they can. kvm-clock is one
// clock for all processors of a guest: if the host's clocks differ, the kernel keeps the latest value that any
// processor has read, and none reads an earlier one (arch/x86/kernel/pvclock.c). Two processors may then read the same
// value.
func oneClock() error {
	source, err := os.ReadFile("/sys/devices/system/clocksource/clocksource0/current_clocksource")
	switch name := strings.TrimSpace(string(source)); {
	case err != nil, name == "tsc", name == "kvm-clock":
		return nil
	default:
		return fmt.Errorf("the clocksource is %q, neither tsc nor kvm-clock: time stamps of different processors cannot be compared", name)
	}
}

// mayWatch checks what may have changed since a successful self-test. It returns why perf events cannot be used now,
// such as a filter that forbids them; nil if they can.
func (t *Tracer) mayWatch() error {
	if err := oneClock(); err != nil {
		return err
	}
	on, err := lockTracepoint()
	if err != nil {
		return err
	}
	return t.holdOn(on)
}
