package tracer

import (
	"fmt"
	"os"
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
	if e != syscall.EPERM {
		return e.Error()
	}
	what := "permission denied"
	if st.uid != os.Geteuid() && os.Geteuid() != 0 {
		what += fmt.Sprintf(": it runs as uid %d, vmblame as uid %d without CAP_SYS_PTRACE", st.uid, os.Geteuid())
	} else if scope := yamaScope(); scope != "" && scope != "0" && !HasCapability(unix.CAP_SYS_PTRACE) {
		return what + fmt.Sprintf(": kernel.yama.ptrace_scope is %s and vmblame lacks CAP_SYS_PTRACE\n", scope) +
			remedy("run vmblame as root, start the program with `vmblame run`, or `sysctl kernel.yama.ptrace_scope=0`")
	} else if !HasCapability(unix.CAP_SYS_PTRACE) {
		what += ": vmblame lacks CAP_SYS_PTRACE and the process is set-uid, not dumpable or has more capabilities"
	} else {
		what += ": a security module or the container's seccomp profile forbids ptrace"
	}
	return what + "\n" + remedy("run vmblame as root (sudo), or as that user")
}

// remedy says what to do, with the exact flags for containers.
func remedy(outside string) string {
	const flags = "docker run --cap-add=SYS_PTRACE --security-opt seccomp=unconfined …, or kubectl debug POD -it --image=IMAGE --target=CONTAINER --profile=sysadmin"
	switch {
	case !InContainer():
		return "try: " + outside + "; in a container: " + flags
	case os.Geteuid() != 0:
		return "try: " + outside + "; where the container's root may not either: " + flags
	}
	return "try: " + flags + "; or run vmblame on the host"
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
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "CapEff:"); ok {
			var set uint64
			if _, err := fmt.Sscanf(strings.TrimSpace(rest), "%x", &set); err != nil {
				return false
			}
			return set>>capability&1 != 0
		}
	}
	return false
}

// InContainer guesses from the usual signs whether this process runs in a container.
func InContainer() bool {
	for _, mark := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := os.Stat(mark); err == nil {
			return true
		}
	}
	_, kubernetes := os.LookupEnv("KUBERNETES_SERVICE_HOST")
	return kubernetes
}
