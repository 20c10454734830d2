package record

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/tracer"
)

// Run launches a program and records it, and all that it starts, until they have ended. It must be called
// on the process's first thread, to which the goroutine is locked.
func Run(o Options) (out Outcome, err error) {
	r := newRecorder(o)
	defer r.rescue(&err)
	if err := ownProc(); err != nil {
		return out, &Error{Failed, fmt.Sprintf("run %s: %v", o.Command[0], err)}
	}
	if err := r.backend.choose(&r.opts); err != nil {
		return out, err
	}
	launch, err := prepareLaunch(&r.opts)
	if err != nil {
		return out, err
	}
	p, err := r.tracer.Prepare(launch)
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		err = fmt.Errorf("%w: raise the limit (ulimit -n)", err)
	}
	if err != nil {
		return out, &Error{Failed, fmt.Sprintf("run %s: %v", o.Command[0], err)}
	}
	r.mainPID = p.PID
	r.chosen[p.PID] = true
	sinks, err := o.Open(p.PID)
	if err != nil {
		p.Abandon()
		return out, err
	}
	caught := r.signals.catchForRun()
	r.around = surroundingsOf(os.Getpid()) // the program's too
	header := newHeader(o.Tool, "run", r.out.start, o.Command, launch.Env, launch.Path, 0, nil)
	r.backend.describe(header, &r.opts)
	r.leaks.warnOf(launch.Path, launch.Dir, launch.Env)
	<-caught
	launched, err := p.Start()
	ignoreReserved()
	if err != nil {
		closeSinks(sinks)
		if killed, ok := errors.AsType[*tracer.KilledError](err); ok {
			signal := int(killed.Signal)
			out.Exit = &eventlog.Exit{Signal: &signal}
		}
		return out, launchFailure(o.Command[0], launch, err)
	}
	return r.run(sinks, func() error {
		r.out.queue.Put(header)
		r.leaks.note()
		if launched.ASLRKept {
			r.out.note("warning", "aslr-kept", "--no-aslr was refused by the kernel (personality): addresses are random")
		}
		if o.JITNames {
			r.out.note("info", "jit-names", jitNamesNote())
			r.out.warn(jitNamesNote())
		}
		defer r.watchRegularly()()
		err := r.loop()
		if r.ending != "" {
			r.letGo()
			return err
		}
		r.backend.note(r.out)
		r.backend.noteUnadvised(r.out)
		r.out.incomplete(r.tracer.Unaccounted(), "the kernel has counted more calls than it has told of")
		r.ending = "exit"
		return err
	})
}

// meant suggests what the user may have meant by a program that was not found.
func meant(o *Options) string {
	name := o.Command[0]
	if len(o.Command) > 1 && o.Command[1] == "--" {
		return "the program comes after --, and before it only flags"
	}
	if st, err := os.Stat(filepath.Join(o.Chdir, name)); err == nil && st.Mode().IsRegular() && !strings.Contains(name, "/") {
		return "a file of that name is here: vmblame run ./" + name
	}
	return "check the name, PATH and --chdir"
}

// prepareLaunch finds the program as a shell would, and fills in its environment.
func prepareLaunch(o *Options) (tracer.Launch, error) {
	name := o.Command[0]
	l := tracer.Launch{Argv: o.Command, Dir: o.Chdir, NoASLR: o.NoASLR, Filter: !o.NoSeccomp, Follow: true, Alone: o.NoFollow}
	l.Env = mergeEnv(os.Environ(), o.Env)
	if o.JITNames {
		l.Env = withJITNames(l.Env)
	}
	if o.LSan == "off" {
		l.Env = withoutLeakCheck(l.Env)
	}
	path, err := lookup(name, o.Chdir, l.Env)
	switch {
	case errors.Is(err, os.ErrPermission) && onNoexec(path, o.Chdir):
		return l, &Error{NotExecutable, fmt.Sprintf("run %s: permission denied: its file system is mounted with noexec: copy it to another, or run its interpreter", name)}
	case errors.Is(err, os.ErrPermission):
		return l, &Error{NotExecutable, fmt.Sprintf("run %s: permission denied: it is not executable: chmod +x it, or run its interpreter", name)}
	case err != nil:
		return l, &Error{NotFound, fmt.Sprintf("run %s: not found: %s", name, meant(o))}
	}
	l.Path = path
	if o.User != "" {
		c, err := credential(o.User)
		if err != nil {
			return l, &Error{Failed, fmt.Sprintf("run --user %s: %v", o.User, err)}
		}
		l.Credential = c
	}
	return l, nil
}

func mergeEnv(base, add []string) []string {
	env := append([]string(nil), base...)
next:
	for _, kv := range add {
		key, _, _ := strings.Cut(kv, "=")
		for i, old := range env {
			if strings.HasPrefix(old, key+"=") {
				env[i] = kv
				continue next
			}
		}
		env = append(env, kv)
	}
	return env
}

// lookup searches PATH like a shell, skipping unsearchable directories; a name with a slash is relative to dir.
func lookup(name, dir string, env []string) (string, error) {
	if name == "" {
		return "", exec.ErrNotFound
	}
	if strings.ContainsRune(name, '/') {
		at := name
		if dir != "" && !filepath.IsAbs(name) {
			at = filepath.Join(dir, name)
		}
		return name, executable(at)
	}
	list := ""
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			list = v
		}
	}
	var denied error
	refused := ""
	for _, d := range filepath.SplitList(list) {
		if d == "" {
			d = "."
		}
		path := filepath.Join(d, name)
		at := path
		if dir != "" && !filepath.IsAbs(path) {
			at = filepath.Join(dir, path)
		}
		err := executable(at)
		if err == nil {
			if !strings.ContainsRune(path, '/') {
				path = "./" + path
			}
			return path, nil
		}
		if errors.Is(err, errNotExecutable) {
			denied, refused = err, path
		}
	}
	if denied != nil {
		return refused, denied
	}
	return "", exec.ErrNotFound
}

// onNoexec reports whether an executable file lies on a file system that is mounted with noexec.
func onNoexec(path, dir string) bool {
	if dir != "" && !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	st, err := os.Stat(path)
	var fs syscall.Statfs_t
	return err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 && syscall.Statfs(path, &fs) == nil && fs.Flags&unix.ST_NOEXEC != 0
}

// errNotExecutable is for a file that exists, unlike the os.ErrPermission of a directory on its path.
var errNotExecutable = fmt.Errorf("not executable: %w", os.ErrPermission)

func executable(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if st.IsDir() || unix.Access(path, unix.X_OK) != nil {
		return errNotExecutable
	}
	return nil
}

func credential(name string) (*tracer.Credential, error) {
	u, err := user.Lookup(name)
	if err != nil {
		if u, err = user.LookupId(name); err != nil {
			return nil, errors.New("no such user: getent passwd lists them")
		}
	}
	c := &tracer.Credential{}
	if c.UID, err = strconv.Atoi(u.Uid); err != nil {
		return nil, err
	}
	if c.GID, err = strconv.Atoi(u.Gid); err != nil {
		return nil, err
	}
	groups, _ := u.GroupIds()
	for _, g := range groups {
		if gid, err := strconv.Atoi(g); err == nil {
			c.Groups = append(c.Groups, gid)
		}
	}
	return c, nil
}

// launchFailure describes why the helper could not become the program.
func launchFailure(name string, l tracer.Launch, err error) error {
	le, ok := errors.AsType[*tracer.LaunchError](err)
	if !ok {
		return &Error{Failed, fmt.Sprintf("run %s: %v", name, err)}
	}
	switch le.Step {
	case "chdir":
		return &Error{Failed, fmt.Sprintf("run %s: --chdir %s: %v: name a folder that exists", name, l.Dir, le.Err)}
	case "user":
		return &Error{Failed, fmt.Sprintf("run %s: --user: %v: only root may change the user", name, le.Err)}
	case "seccomp":
		return &Error{Failed, fmt.Sprintf("run %s: install the seccomp filter: %v: try --no-seccomp", name, le.Err)}
	}
	switch le.Err {
	case syscall.ENOENT:
		// The file exists, so its interpreter is missing.
		return &Error{NotExecutable, fmt.Sprintf("run %s: not executable: the interpreter that %s asks for does not exist", name, l.Path)}
	case syscall.EACCES, syscall.EPERM:
		return &Error{NotExecutable, fmt.Sprintf("run %s: permission denied by the kernel: check the file's mode, its directories, and noexec mounts", name)}
	case syscall.ENOEXEC:
		return &Error{NotExecutable, fmt.Sprintf("run %s: not executable: neither a program for this kernel nor a script that begins with #!", name)}
	}
	return &Error{NotExecutable, fmt.Sprintf("run %s: not executable: %v", name, le.Err)}
}
