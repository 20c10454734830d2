package launcher

import (
	"syscall"
	"unsafe"
)

// Numbers of the kernel's headers that package syscall does not name.
const (
	sysSeccomp           = 317
	seccompSetModeFilter = 1
	prSetNoNewPrivs      = 38
	sigSetMask           = 2
	// AddrNoRandomize is the bit of personality(2) that switches address space randomisation off.
	AddrNoRandomize  = 0x0040000
	personalityQuery = 0xffffffff
)

// Config is what the helper does.
type Config struct {
	Path      string
	Argv, Env []string
	Dir       string // "" for the present one
	NoASLR    bool
	Filter    []byte // instructions of a seccomp filter, as the kernel takes them; none where empty
	// SetUser reports whether to switch to UID, GID and Groups.
	SetUser  bool
	UID, GID uint32
	Groups   []uint32
	// SetSignals reports whether to set Ignored and Blocked, signal N in bit N-1.
	SetSignals       bool
	Ignored, Blocked uint64
	// Closed has a bit for each of the descriptors 0 to 2 that the program finds closed.
	Closed uint32
	Status int // the descriptor to which it writes its status
}

// Encode returns c in the form that the helper reads. The order of the steps matters: the directory is entered with the
// rights of the caller, which the user that the program runs as may lack, and the filter is installed while the helper
// has the right to do so.
func (c *Config) Encode() []byte {
	s := &script{}
	if c.Dir != "" {
		s.call(Chdir, 0, syscall.SYS_CHDIR, s.text(c.Dir))
	}
	going := s.words(uint64(Going), 0)
	if c.NoASLR {
		now, _, _ := syscall.RawSyscall(syscall.SYS_PERSONALITY, personalityQuery, 0, 0) // ours, which it has inherited
		s.call(Going, anyError, syscall.SYS_PERSONALITY, uint64(now)|AddrNoRandomize)
	}
	s.call(Going, anyError, syscall.SYS_PERSONALITY, uint64(personalityQuery)).result = going + wordSize
	// This message is always sent: the end of the pipe cannot replace it, since the kernel closes the pipe only when
	// the new program returns to user mode, after its first stop.
	s.call(Going, anyError, syscall.SYS_WRITE, c.Status, going, StatusSize)
	if len(c.Filter) > 0 {
		c.installFilter(s)
	}
	if c.SetUser {
		c.setUser(s)
	}
	if c.SetSignals {
		c.setSignals(s)
	}
	for fd := range 3 {
		if c.Closed>>fd&1 != 0 {
			s.call(Exec, anyError, syscall.SYS_CLOSE, fd)
		}
	}
	s.call(Exec, 0, syscall.SYS_EXECVE, s.text(c.Path), s.texts(c.Argv), s.texts(c.Env))
	return s.encode()
}

// installFilter puts the filter on the helper. With CAP_SYS_ADMIN it does so without no_new_privs, which would disable set-uid
// bits for the program and all its children (seccomp(2)).
func (c *Config) installFilter(s *script) {
	const insnSize = 8 // struct sock_filter
	insns := s.put(c.Filter)
	prog := s.words(uint64(len(c.Filter)/insnSize), uint64(insns)) // struct sock_fprog
	s.pointers = append(s.pointers, prog+wordSize)
	install := func(tolerated uint64) *step {
		return s.call(Seccomp, tolerated, sysSeccomp, seccompSetModeFilter, 0, prog)
	}
	install(uint64(syscall.EACCES)).skip = 2 * stepSize
	s.call(Seccomp, 0, syscall.SYS_PRCTL, prSetNoNewPrivs, 1, 0, 0, 0)
	install(0)
}

// setUser sets groups, gid and uid.
func (c *Config) setUser(s *script) {
	tolerated := uint64(0)
	if syscall.Geteuid() == int(c.UID) { // it may keep the groups that it has
		tolerated = anyError
	}
	groups := append(c.Groups, 0) // not empty
	s.call(User, tolerated, syscall.SYS_SETGROUPS, len(c.Groups), s.put(unsafe.Slice((*byte)(unsafe.Pointer(&groups[0])), 4*len(groups))))
	gid, uid := uint64(c.GID), uint64(c.UID)
	s.call(User, 0, syscall.SYS_SETRESGID, gid, gid, gid)
	s.call(User, 0, syscall.SYS_SETRESUID, uid, uid, uid)
}

// setSignals restores for the program the signal settings of whoever started vmblame: what vmblame has changed since is
// not meant for the program.
func (c *Config) setSignals(s *script) {
	byDefault := s.words(0, 0, 0, 0) // the kernel's struct sigaction: handler, flags, restorer, mask
	ignore := s.words(1, 0, 0, 0)
	for sig := 1; sig <= 64; sig++ {
		action := byDefault
		if c.Ignored>>(sig-1)&1 != 0 {
			action = ignore
		}
		s.call(Exec, anyError, syscall.SYS_RT_SIGACTION, sig, action, 0, wordSize)
	}
	s.call(Exec, anyError, syscall.SYS_RT_SIGPROCMASK, sigSetMask, s.words(c.Blocked), 0, wordSize)
}
