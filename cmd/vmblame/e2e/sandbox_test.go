package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/testenv"
)

// Sandboxes as docker run, kubectl debug and systemd make them, of filters and capability sets (testdata/progs/denies.c).
const (
	// docker's default capabilities and profile (moby, profiles/seccomp/default.json): what its programs may not do
	// without more, as far as vmblame would.
	dockerDefault = "caps=a80425fb kcmp=1 pidfd_getfd=1 perf_event_open=1 personality:0:0x40000=1 clone3=38 userfaultfd=1 bpf=1 mount=1 unshare=1"
	// kubectl debug --profile=general: the same with CAP_SYS_PTRACE, for which the profile allows more.
	kubectlGeneral = "caps=a80c25fb perf_event_open=1 personality:0:0x40000=1 clone3=38 userfaultfd=1 bpf=1 mount=1 unshare=1"
	// A unit with NoNewPrivileges=, CapabilityBoundingSet=, SystemCallFilter=@system-service @debug.
	systemdService = "no_new_privs caps=0 perf_event_open=1 userfaultfd=1 bpf=1 mount=1 unshare=1 personality:0:0x40000=1"
)

// sandboxed is argv in a sandbox.
func sandboxed(t *testing.T, rules string, argv ...string) []string {
	t.Helper()
	return append(append(append([]string{prog(t, "denies")}, strings.Fields(rules)...), "--"), argv...)
}

// TestSandboxes: run needs no right that a container or a service does not have; what the sandbox refuses is had in
// another way, and the log is the same as without.
func TestSandboxes(t *testing.T) {
	testenv.Need(t, "root")
	log := filepath.Join(t.TempDir(), "log.jsonl")
	run := func(rules string) *story {
		t.Helper()
		argv := []string{built.vmblame, "run", "-q", "-o", log, prog(t, "memfd")}
		if rules != "" {
			argv = sandboxed(t, rules, argv...)
		}
		c := begin(t, argv)
		c.mustEnd("exit status 0")
		if text := c.text("stderr"); text != "" {
			t.Errorf("%s: said: %s", rules, text)
		}
		return proven(t, log)
	}
	free := run("")
	for name, rules := range map[string]string{
		"docker": dockerDefault, "kubectl debug": kubectlGeneral, "systemd": systemdService,
		"no process_vm_readv": "process_vm_readv=1", "process_vm_readv not there": "process_vm_readv=38",
		"no PROCMAP_QUERY": "ioctl:1:0xc0686611=1", "PROCMAP_QUERY not there": "ioctl:1:0xc0686611=38",
		"no kcmp": "kcmp=1", "no openat2": "openat2=38", "no pidfd": "pidfd_open=1 pidfd_getfd=1",
	} {
		s := run(rules)
		if s.end.Events != free.end.Events || s.end.Drifts != 0 || s.stacks != free.stacks || s.complete != free.complete {
			t.Errorf("%s: %d events, %d drifts, %d stacks, of which %d are complete; without: %d, %d, %d, %d", name,
				s.end.Events, s.end.Drifts, s.stacks, s.complete, free.end.Events, free.end.Drifts, free.stacks, free.complete)
		}
		for _, n := range s.notes {
			t.Errorf("%s: note %s: %s", name, n.Code, n.Text)
		}
	}
}

// TestSandboxedAttach: attach and map ask for the one right that they lack, and have what they need with it.
func TestSandboxedAttach(t *testing.T) {
	testenv.Need(t, "root")
	log := filepath.Join(t.TempDir(), "log.jsonl")
	target := begin(t, []string{"sleep", "1000"})
	pid := fmt.Sprint(target.pid)
	for _, rules := range []string{dockerDefault, "caps=0 no_new_privs"} {
		refused(t, begin(t, sandboxed(t, rules, built.vmblame, "attach", "-o", log, pid)), "exit status 1", "permission denied: vmblame lacks CAP_SYS_PTRACE", "try: ")
	}
	attach := func(rules string) *story {
		t.Helper()
		c := begin(t, sandboxed(t, rules, built.vmblame, "attach", "--duration", "50ms", "-o", log, pid))
		c.mustEnd("exit status 0")
		return proven(t, log)
	}
	sigtrap := attach("").header.Backend.Name == "sigtrap"
	for _, rules := range []string{kubectlGeneral, "perf_event_open=1", "perf_event_open=38", "process_vm_readv=1 pidfd_getfd=1", "ioctl:1:0xc0686611=1"} {
		s := attach(rules)
		if sigtrap && strings.Contains(rules, "perf_event_open") && (s.header.Backend.Name != "syscall" || !strings.Contains(s.header.Backend.Why, "perf_event_open")) {
			t.Errorf("%s: %+v", rules, s.header.Backend)
		}
		if s.note("unverified") != "" || s.end.Drifts != 0 {
			t.Errorf("%s: %+v, %+v", rules, s.end, s.notes)
		}
	}
}

// TestRefusedWithRemedy: each refusal is one true line, and one with its remedy at most.
func TestRefusedWithRemedy(t *testing.T) {
	testenv.Need(t, "root")
	dir := t.TempDir()
	log := filepath.Join(dir, "log.jsonl")
	target := begin(t, []string{"sleep", "1000"})
	pid := fmt.Sprint(target.pid)
	for _, tt := range []struct {
		argv   []string
		status string
		words  []string
	}{
		{sandboxed(t, "ptrace=38", built.vmblame, "run", "-o", log, "true"), "exit status 125", []string{"there is no ptrace here", "try: "}},
		{sandboxed(t, "ptrace=38", built.vmblame, "attach", "-o", log, pid), "exit status 1", []string{"there is no ptrace here", "try: "}},
		{sandboxed(t, "ptrace=1", built.vmblame, "run", "-o", log, "true"), "exit status 125", []string{"a seccomp profile", "try: "}},
		{sandboxed(t, "seccomp=38", built.vmblame, "run", "-o", log, "true"), "exit status 125", []string{"install the seccomp filter", "--no-seccomp"}},
		{[]string{"unshare", "--user", "--map-root-user", built.vmblame, "attach", "-o", log, pid}, "exit status 1", []string{"in a user namespace", "try: "}},
		{[]string{"unshare", "--mount", "sh", "-c", `mount -t tmpfs -o noexec none /mnt && cp /bin/true /mnt && exec "$0" run -o "$1" /mnt/true`, built.vmblame, log},
			"exit status 126", []string{"mounted with noexec", "copy it"}},
		{[]string{"unshare", "--mount", "sh", "-c", `mount -t tmpfs -o noexec none /mnt && cp /bin/true /mnt/other && PATH=/mnt exec "$0" run -o "$1" other`, built.vmblame, log},
			"exit status 126", []string{"mounted with noexec", "copy it"}},
	} {
		c := begin(t, tt.argv)
		refused(t, c, tt.status, tt.words...)
		if text := c.text("stderr"); strings.Count(text, "\n") > 2 {
			t.Errorf("%v: more than two lines:\n%s", tt.argv, text)
		}
	}
	if _, err := os.Stat(log); err == nil {
		t.Error("there is a log")
	}
}
