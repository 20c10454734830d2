package record

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/tracer"
)

// notePrivileges notes that an image which would have had privileges of its own, by a set-user-ID or set-group-ID bit
// or by file capabilities, runs without them: the kernel does not grant them to the tracee of an unprivileged tracer
// (execve(2); security/commoncap.c, handle_privileged_root and cap_bprm_creds_from_file).
func (b *backend) notePrivileges(th *tracer.Thread, out *output) {
	if b.privileged {
		return
	}
	image := fmt.Sprintf("/proc/%d/exe", th.TID)
	st, err := os.Stat(image)
	if err != nil {
		return
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return
	}
	what := ""
	switch n, err := unix.Getxattr(image, "security.capability", nil); {
	case st.Mode()&os.ModeSetuid != 0 && int(sys.Uid) != os.Geteuid():
		what = "set-user-ID"
	case st.Mode()&os.ModeSetgid != 0 && int(sys.Gid) != os.Getegid():
		what = "set-group-ID"
	case err == nil && n > 0:
		what = "file capabilities"
	default:
		return
	}
	path, err := os.Readlink(image)
	if err != nil {
		path = image
	}
	out.note("warning", "without-privileges", fmt.Sprintf("pid %d: %s (%s) runs without its privileges, because the kernel grants none under an unprivileged tracer: run vmblame as root, with --user for the program",
		th.TGID, filepath.Base(path), what))
}
