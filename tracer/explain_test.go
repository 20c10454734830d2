package tracer

import (
	"strings"
	"syscall"
	"testing"
)

// TestRefusals: each reason why the kernel refuses to trace has its own words, and a remedy that asks for no more than
// helps.
func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		name    string
		refusal refusal
		has     []string
		hasNot  []string
	}{
		{"no ptrace", refusal{errno: syscall.ENOSYS, root: true, capable: true},
			[]string{"there is no ptrace here", "gVisor", "run vmblame outside of it"}, []string{"docker", "CAP_SYS_PTRACE"}},
		{"no ptrace in a container", refusal{errno: syscall.ENOSYS, root: true, capable: true, container: true},
			[]string{"there is no ptrace here", "--security-opt seccomp=unconfined"}, []string{"cap-add"}},
		{"Yama 1", refusal{errno: syscall.EPERM, scope: "1", sameUser: true},
			[]string{"ptrace_scope is 1", "vmblame run", "ptrace_scope=0"}, []string{"docker", "unconfined"}},
		{"Yama 1 in a container", refusal{errno: syscall.EPERM, scope: "1", sameUser: true, root: true, container: true},
			[]string{"ptrace_scope is 1", "--cap-add=SYS_PTRACE", "--profile=general"}, []string{"unconfined", "sysadmin"}},
		{"Yama 2", refusal{errno: syscall.EPERM, scope: "2", sameUser: true},
			[]string{"ptrace_scope is 2", "as root"}, []string{"docker", "start the program with"}},
		{"Yama 2, run", refusal{errno: syscall.EPERM, scope: "2", sameUser: true, child: true},
			[]string{"ptrace_scope is 2", "as root", "ptrace_scope=1"}, []string{"seccomp"}},
		{"Yama 3", refusal{errno: syscall.EPERM, scope: "3", root: true, capable: true, sameUser: true},
			[]string{"ptrace_scope is 3", "until the next boot", "vmblame map"}, []string{"CAP_SYS_PTRACE", "docker"}},
		{"another user's", refusal{errno: syscall.EPERM, uid: 33},
			[]string{"runs as uid 33", "sudo"}, []string{"docker", "yama"}},
		{"another user's, with Yama", refusal{errno: syscall.EPERM, uid: 33, scope: "1"}, []string{"runs as uid 33"}, []string{"yama"}},
		{"more rights", refusal{errno: syscall.EPERM, sameUser: true, scope: "0"},
			[]string{"lacks CAP_SYS_PTRACE", "set-uid, not dumpable"}, []string{"yama", "seccomp"}},
		{"a filter", refusal{errno: syscall.EPERM, sameUser: true, root: true, capable: true},
			[]string{"a seccomp profile", "SystemCallFilter=@debug"}, []string{"docker", "cap-add"}},
		{"a filter, run", refusal{errno: syscall.EPERM, sameUser: true, child: true, container: true, root: true},
			[]string{"a seccomp profile", "--security-opt seccomp=unconfined"}, []string{"cap-add"}},
		{"a user namespace", refusal{errno: syscall.EPERM, root: true, capable: true, sameUser: false, nested: true, foreign: true},
			[]string{"user namespace", "outside of the namespace"}, []string{"docker", "seccomp"}},
		{"its own user namespace", refusal{errno: syscall.EPERM, capable: true, sameUser: true, nested: true},
			[]string{"a seccomp profile"}, []string{"user namespace"}},
		{"another error", refusal{errno: syscall.EIO}, []string{"input/output error"}, []string{"try:"}},
	} {
		text := tt.refusal.String()
		for _, s := range tt.has {
			if !strings.Contains(text, s) {
				t.Errorf("%s: %q is missing:\n%s", tt.name, s, text)
			}
		}
		for _, s := range tt.hasNot {
			if strings.Contains(text, s) {
				t.Errorf("%s: %q is said:\n%s", tt.name, s, text)
			}
		}
		if strings.Count(text, "\n") > 1 {
			t.Errorf("%s: more than two lines:\n%s", tt.name, text)
		}
	}
}
