package tracer

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// explainRefusal says why the kernel refused PTRACE_SEIZE on pid and what to do about it (ptrace(2),
// "Ptrace access mode checking").
func explainRefusal(pid int, e syscall.Errno) string {
	st, err := readStatus(pid)
	if err != nil {
		return "no such process: it ended just now"
	}
	if st.tracer != 0 {
		tracer := Identify(st.tracer)
		who := tracer.TGID
		if who == 0 {
			who = st.tracer
		}
		return fmt.Sprintf("already traced by pid %d (%s): detach it first", who, Identify(who).Name)
	}
	r := refusal{errno: e, child: st.ppid == os.Getpid(), sameUser: st.uid == os.Geteuid(), root: os.Geteuid() == 0, uid: st.uid,
		scope: yamaScope(), capable: HasCapability(unix.CAP_SYS_PTRACE), nested: inUserNamespace(), foreign: inOtherUserNamespace(pid), container: InContainer()}
	return r.String()
}

// refusal is what is known of a PTRACE_SEIZE that the kernel refused.
type refusal struct {
	errno     syscall.Errno
	child     bool // it is our launch helper
	sameUser  bool
	root      bool   // vmblame is run by root
	uid       int    // of the process
	scope     string // kernel.yama.ptrace_scope, "" without Yama
	capable   bool   // vmblame has CAP_SYS_PTRACE
	nested    bool   // vmblame is in a user namespace
	foreign   bool   // the process is in another user namespace
	container bool
}

// String says why, and on a line of its own what to do.
func (r refusal) String() string {
	const sandbox = "a security module or a seccomp profile (of a container, or systemd's SystemCallFilter)"
	switch {
	case r.errno == syscall.ENOSYS:
		return "there is no ptrace here: the sandbox (gVisor, or a seccomp profile) has none\n" + r.remedy("run vmblame outside of it", "--security-opt seccomp=unconfined")
	case r.errno != syscall.EPERM && r.errno != syscall.EACCES:
		return r.errno.Error()
	case r.scope == "3":
		return "permission denied: kernel.yama.ptrace_scope is 3: nothing may be traced until the next boot\n" +
			"try: boot without that setting (it cannot be lowered); vmblame map PID reads a process without tracing it"
	case r.scope == "2" && !r.capable:
		return "permission denied: kernel.yama.ptrace_scope is 2 and vmblame lacks CAP_SYS_PTRACE\n" +
			r.remedy("run vmblame as root, or `sysctl kernel.yama.ptrace_scope=1` for vmblame run", "--cap-add=SYS_PTRACE")
	case r.child:
		return "permission denied: " + sandbox + " forbids ptrace\n" + r.remedy("allow it there (systemd: SystemCallFilter=@debug)", "--security-opt seccomp=unconfined")
	case r.foreign && r.nested:
		return "permission denied: vmblame is in a user namespace, and the process is in another one: its root is none there\n" +
			r.remedy("run vmblame outside of the namespace, as root", "")
	case !r.sameUser && !r.capable:
		return fmt.Sprintf("permission denied: it runs as uid %d, vmblame as uid %d without CAP_SYS_PTRACE\n", r.uid, os.Geteuid()) +
			r.remedy("run vmblame as root (sudo), or as that user", "--cap-add=SYS_PTRACE")
	case r.scope == "1" && !r.capable:
		return "permission denied: kernel.yama.ptrace_scope is 1 and vmblame lacks CAP_SYS_PTRACE\n" +
			r.remedy("run vmblame as root, start the program with `vmblame run`, or `sysctl kernel.yama.ptrace_scope=0`", "--cap-add=SYS_PTRACE")
	case !r.capable:
		return "permission denied: vmblame lacks CAP_SYS_PTRACE, and the process is set-uid, not dumpable or has more capabilities\n" +
			r.remedy("run vmblame as root (sudo)", "--cap-add=SYS_PTRACE")
	}
	return "permission denied: " + sandbox + " forbids ptrace\n" + r.remedy("allow it there (systemd: SystemCallFilter=@debug)", "--security-opt seccomp=unconfined")
}

// remedy suggests what to do: outside a container, or flag of docker run inside one. It suggests the least privilege
// that helps.
func (r refusal) remedy(outside, flag string) string {
	if flag == "" || !r.container {
		return "try: " + outside
	}
	within := "docker run " + flag
	if flag == "--cap-add=SYS_PTRACE" {
		within += ", or kubectl debug --profile=general"
	}
	if r.root {
		return "try: " + within + "; or run vmblame on the host"
	}
	return "try: " + outside + "; where the container's root may not either: " + within
}

// inUserNamespace reports whether this process is in a user namespace other than the initial one.
func inUserNamespace() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && strings.Join(strings.Fields(string(text)), " ") != "0 0 4294967295"
}

// inOtherUserNamespace reports whether a process is in another user namespace than this one, or we may not know.
func inOtherUserNamespace(pid int) bool {
	own, err := os.Readlink("/proc/self/ns/user")
	its, denied := os.Readlink(fmt.Sprintf("/proc/%d/ns/user", pid))
	return err == nil && (denied != nil || its != own)
}

func yamaScope() string {
	text, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// HasCapability reports whether the effective set of this process holds a capability (capabilities(7)).
func HasCapability(capability int) bool {
	set, err := strconv.ParseUint(ownStatus("CapEff"), 16, 64)
	return err == nil && set>>capability&1 != 0
}

// ownStatus returns a line of /proc/self/status, "" if there is none.
func ownStatus(key string) string {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// InContainer reports whether this process seems to run in a container, judging by the usual signs.
func InContainer() bool {
	for _, mark := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := os.Stat(mark); err == nil {
			return true
		}
	}
	_, kubernetes := os.LookupEnv("KUBERNETES_SERVICE_HOST")
	return kubernetes
}
