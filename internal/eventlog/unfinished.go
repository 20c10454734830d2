package eventlog

import (
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// A recording may end before all names are known, so that nobody waits for them: the log then has its end line, and whoever
// finds the rest puts them before it. Until then a lock says so that is the open file's, and so that of each process that
// it is given to (F_OFD_SETLK of fcntl(2)): of one byte, unlike those by which some file systems make an flock(2).
// Readers of a path wait for it, as Create does.

// namesBound is how long a reader waits for names.
const namesBound = 30 * time.Second

// Commands of fcntl(2) that package syscall lacks (include/uapi/linux/fcntl.h).
const ofdGetLock, ofdSetLock = 36, 37

// Unfinished is a log whose end line is written and that lacks names. File is open for reading and writing, and has the locks.
type Unfinished struct {
	File   *os.File
	At     int64 // in File: where the names belong
	Packed bool  // compressed
}

func namesLock(typ int16) syscall.Flock_t {
	return syscall.Flock_t{Type: typ, Whence: io.SeekStart, Len: 1}
}

// MayLackNames says that names may come after the end line, and reports whether they can: the log is a regular file that has begun, on a file
// system with such locks.
func (w *Writer) MayLackNames() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil || w.file == nil || w.deleted || w.earlier || w.begin != 0 {
		return false
	}
	lock := namesLock(syscall.F_WRLCK)
	return syscall.FcntlFlock(w.file.Fd(), ofdSetLock, &lock) == nil
}

// Unfinished writes what is buffered. The end line is to be put next. Whoever has File calls Finish, or closes it.
func (w *Writer) Unfinished() (*Unfinished, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return nil, w.err
	}
	if err := w.flush(); err != nil {
		return nil, err
	}
	fd, _, e := syscall.Syscall(syscall.SYS_FCNTL, w.file.Fd(), syscall.F_DUPFD_CLOEXEC, 3)
	if e != 0 {
		return nil, e
	}
	return &Unfinished{File: os.NewFile(fd, w.file.Name()), At: w.offset, Packed: w.enc != nil}, nil
}

// Finish puts names before the end line and closes File. The log is whole before and after it; a full disk leaves it as it is.
func (u *Unfinished) Finish(names []Record) error {
	defer u.File.Close()
	if len(names) == 0 {
		return nil
	}
	st, err := u.File.Stat()
	if err != nil {
		return err
	}
	end := make([]byte, st.Size()-u.At)
	if _, err := u.File.ReadAt(end, u.At); err != nil {
		return err
	}
	var lines []byte
	for _, r := range names {
		lines = AppendRecord(lines, r)
	}
	w := NewWriter(nil, u.Packed)
	if w.err != nil {
		return w.err
	}
	out := append(w.pack(lines), end...)
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit) == nil && uint64(u.At)+uint64(len(out)) > limit.Cur {
		return syscall.EFBIG
	}
	switch err := syscall.Fallocate(int(u.File.Fd()), keepSize, u.At, int64(len(out))); err {
	case syscall.ENOSPC, syscall.EDQUOT:
		return err
	}
	_, err = u.File.WriteAt(out, u.At)
	return err
}

// unfinished reports whether names are still to come to a log.
func unfinished(f *os.File) bool {
	lock := namesLock(syscall.F_RDLCK)
	mine := lock
	return syscall.FcntlFlock(f.Fd(), ofdGetLock, &lock) == nil && lock.Type == syscall.F_WRLCK && lock.Start == mine.Start && lock.Len == mine.Len
}

// AwaitNames waits until a log has all names that are to come, at most 30 s, and reports whether it has them. If that
// takes longer than half a second it calls told once; told may be nil.
func AwaitNames(f *os.File, told func()) bool {
	const again, patience = 10 * time.Millisecond, 500 * time.Millisecond
	for began := time.Now(); unfinished(f); time.Sleep(again) {
		waited := time.Since(began)
		if waited > namesBound {
			return false
		}
		if told != nil && waited > patience {
			told()
			told = nil
		}
	}
	return true
}

// OpenAsIs is Open for a log whose names may still be to come.
func OpenAsIs(path string) (*Reader, error) { return open(path, false) }

func open(path string, wait bool) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if wait {
		AwaitNames(f, nil)
	}
	r, err := newReader(f, path)
	if err != nil {
		f.Close()
		return nil, err
	}
	r.file = f
	return r, nil
}

// lockLog locks a log against other writers. The lock belongs to the open file and ends with its last descriptor
// (flock(2)). File systems without locks go unlocked.
func lockLog(f *os.File, path string) error {
	lock := func() bool {
		return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != syscall.EWOULDBLOCK
	}
	if lock() || unfinished(f) && AwaitNames(f, nil) && lock() {
		return nil
	}
	return fmt.Errorf("%s: %w: name another file", path, ErrBusy)
}
