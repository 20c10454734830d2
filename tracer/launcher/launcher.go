// Package launcher is the launch helper: this executable, started once more under the name [Name], which waits until
// it is traced and then becomes the program. It decides nothing: it is sent a list of system calls. Where the executable has
// its own entry point that makes them, and Go's runtime never starts (entry_amd64.s); in others the package's init function
// does (it imports nothing that takes long, so that it is finished before the executable's other packages, which take longer
// to initialise than the rest of a launch, begin to: Go initialises packages in order of their paths once their imports are
// ready).
package launcher

import (
	"syscall"
	"unsafe"
)

// Name is argv[0] of the helper. argv[1] and argv[2] are the numbers of the descriptors from which it reads
// its configuration and to which it writes its status.
const Name = "vmblame-launch"

// StatusSize is the size in bytes of a status message, two numbers in native byte order: the Step, and of Going the
// personality(2), of a failure the errno.
const StatusSize = 16

// Step is the kind of a status message.
type Step uint64

// The messages. Ready is sent at the start, Going before the exec, one of the others if a step fails.
const (
	Ready Step = iota
	Going
	Chdir
	Seccomp
	User
	Exec
)

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

// launch is the helper without the entry point of its own.
func launch(config, status int) {
	syscall.CloseOnExec(config)
	syscall.CloseOnExec(status)
	tell(status, Ready, 0)
	if b := receive(config); b != nil { // else vmblame has ended
		perform(b, status)
	}
}

func tell(fd int, step Step, value uint64) {
	m := [2]uint64{uint64(step), value}
	_, _ = syscall.Write(fd, unsafe.Slice((*byte)(unsafe.Pointer(&m)), StatusSize))
}

// receive reads one script, nil where the other end was closed.
func receive(fd int) []byte {
	b := make([]byte, wordSize)
	for n := 0; n < len(b); {
		m, err := syscall.Read(fd, b[n:])
		if err == syscall.EINTR {
			continue
		}
		if m <= 0 || err != nil {
			return nil
		}
		if n += m; n == wordSize {
			b = append(b, make([]byte, *(*uint64)(unsafe.Pointer(&b[0]))-wordSize)...)
		}
	}
	return b
}
