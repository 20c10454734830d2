// Package launcher is the launch helper: this executable, started once more under the name [Name], which waits until
// it is traced and then becomes the program. It runs in the package's init function and imports nothing but syscall,
// so that it is finished before the executable's other packages, which take longer to initialise than the rest of a
// launch, begin to (Go initialises packages in order of their paths once their imports are ready). It decides
// nothing: package tracer dictates each step.
package launcher

import (
	"syscall"
	"unsafe"
)

// Name is argv[0] of the helper. argv[1] and argv[2] are the numbers of the descriptors from which it reads
// its configuration and to which it writes its status.
const Name = "vmblame-launch"

// StatusSize is the size in bytes of a status message: the Step, whether ASLR stayed on against the request (0 or 1),
// two bytes of padding, and an errno in native byte order.
const StatusSize = 8

// Step is the kind of a status message.
type Step byte

// The messages. Ready is sent at the start, Going before the exec, one of the others if a step fails.
const (
	Ready Step = iota
	Going
	Chdir
	Seccomp
	User
	Exec
)

// Config is the helper's configuration, sent to it as written by Encode.
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
}

// Encode returns c as the helper reads it: eight-byte numbers in native byte order, strings and lists prefixed by
// their length.
func (c *Config) Encode() []byte {
	var b []byte
	number := func(v uint64) {
		b = append(b, unsafe.Slice((*byte)(unsafe.Pointer(&v)), 8)...)
	}
	text := func(s string) {
		number(uint64(len(s)))
		b = append(b, s...)
	}
	list := func(l []string) {
		number(uint64(len(l)))
		for _, s := range l {
			text(s)
		}
	}
	flag := func(f bool) {
		if f {
			number(1)
		} else {
			number(0)
		}
	}
	number(0) // the length of all, below
	text(c.Path)
	list(c.Argv)
	list(c.Env)
	text(c.Dir)
	flag(c.NoASLR)
	text(string(c.Filter))
	flag(c.SetUser)
	number(uint64(c.UID))
	number(uint64(c.GID))
	number(uint64(len(c.Groups)))
	for _, g := range c.Groups {
		number(uint64(g))
	}
	flag(c.SetSignals)
	number(c.Ignored)
	number(c.Blocked)
	number(uint64(c.Closed))
	size := uint64(len(b))
	copy(b, unsafe.Slice((*byte)(unsafe.Pointer(&size)), 8))
	return b
}

// reader reads what Encode wrote. Both are the same executable, so the bytes are trusted.
type reader struct{ b []byte }

func (r *reader) number() (v uint64) {
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&v)), 8), r.b[:8])
	r.b = r.b[8:]
	return v
}

func (r *reader) text() string {
	n := r.number()
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *reader) list() []string {
	l := make([]string, r.number())
	for i := range l {
		l[i] = r.text()
	}
	return l
}

func (r *reader) flag() bool { return r.number() != 0 }

func decode(b []byte) (c Config) {
	r := reader{b}
	r.number()
	c.Path, c.Argv, c.Env, c.Dir = r.text(), r.list(), r.list(), r.text()
	c.NoASLR, c.Filter = r.flag(), []byte(r.text())
	c.SetUser, c.UID, c.GID = r.flag(), uint32(r.number()), uint32(r.number())
	c.Groups = make([]uint32, r.number())
	for i := range c.Groups {
		c.Groups[i] = uint32(r.number())
	}
	c.SetSignals, c.Ignored, c.Blocked = r.flag(), r.number(), r.number()
	c.Closed = uint32(r.number())
	return c
}

func init() {
	line := commandLine()
	if config, status, ok := ours(line, Name); ok {
		launch(config, status)
		syscall.Exit(125)
	}
	if in, out, ok := ours(line, ProbeName); ok {
		probe(in, out)
		syscall.Exit(0)
	}
}

// commandLine is the beginning of this process's command line.
func commandLine() []byte {
	fd, err := syscall.Open("/proc/self/cmdline", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	buf := make([]byte, 64)
	n, _ := syscall.Read(fd, buf)
	syscall.Close(fd)
	return buf[:max(n, 0)]
}

// ours reports from the command line whether this process is the helper of that name.
func ours(line []byte, name string) (first, second int, ok bool) {
	n := len(name) + 1
	if len(line) < n || string(line[:n]) != name+"\x00" {
		return 0, 0, false
	}
	var fds [2]int
	i, digits := 0, 0
	for _, c := range line[n:] {
		switch {
		case c == 0 && digits > 0:
			i, digits = i+1, 0
		case c >= '0' && c <= '9' && i < 2:
			fds[i] = fds[i]*10 + int(c-'0')
			digits++
		default:
			return 0, 0, false
		}
	}
	return fds[0], fds[1], i == 2
}

func launch(config, status int) {
	syscall.CloseOnExec(config)
	syscall.CloseOnExec(status)
	tell(status, Ready, false, 0)
	b := receive(config)
	if b == nil {
		return // vmblame has ended
	}
	c := decode(b)
	step, errno := become(&c, status)
	tell(status, step, false, errno)
}

func tell(fd int, step Step, kept bool, errno syscall.Errno) {
	m := [StatusSize]byte{0: byte(step)}
	if kept {
		m[1] = 1
	}
	e := uint32(errno)
	copy(m[4:], unsafe.Slice((*byte)(unsafe.Pointer(&e)), 4))
	_, _ = syscall.Write(fd, m[:])
}

// receive reads one Config, nil where the other end was closed.
func receive(fd int) []byte {
	b := make([]byte, 4096)
	n := 0
	for n < 8 || n < int((&reader{b}).number()) {
		if n == len(b) {
			b = append(b, make([]byte, len(b))...)
		}
		m, err := syscall.Read(fd, b[n:])
		if err == syscall.EINTR {
			continue
		}
		if m <= 0 || err != nil {
			return nil
		}
		n += m
	}
	return b[:n]
}
