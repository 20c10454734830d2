package naming

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"syscall"

	"github.com/vmblame/vmblame/internal/openfile"
	"github.com/vmblame/vmblame/internal/procfs"
	"github.com/vmblame/vmblame/symbolize"
	"github.com/vmblame/vmblame/tracer"
)

// PerfMap is the list /tmp/perf-PID.map that just-in-time compilers of one address space write of their code. It is
// opened while the process lives, through its root and by its own pid, for both are gone with it; its contents are
// read later, off the tracer's goroutine.
type PerfMap struct {
	tid, tgid int // a thread of the process that was there first

	mu   sync.Mutex
	file *os.File // the last one that was found
	last bool     // nothing more will be written to it
}

// perfMaps are those of the spaces that have run code in no file, by their ids. They belong to the goroutine
// that handles stops.
type perfMaps map[int]*PerfMap

func (m perfMaps) finish() {
	for _, p := range m {
		p.finish()
	}
}

// PerfMap returns the list of a space, which it opens where it is asked for the first time: code in no file has
// been seen to run. tid is a thread of the space, pid the process that was there first. It and the two methods
// below belong to the goroutine that handles stops.
func (n *Names) PerfMap(space, tid, pid int) *PerfMap {
	p := n.perf[space]
	if p == nil {
		p = &PerfMap{tid: tid, tgid: pid}
		p.look(tid, pid)
		n.perf[space] = p
	}
	return p
}

// LookAtPerfMap opens the list of a space, if it is wanted, while a process of it still lives.
func (n *Names) LookAtPerfMap(space, tid, pid int) {
	if p := n.perf[space]; p != nil {
		p.look(tid, pid)
	}
}

// EndPerfMap forgets the list of a space that has ended. It returns a function, or nil, which must be called after all
// stacks of the space have been added: it names the space's code for the last time.
func (n *Names) EndPerfMap(space int) func() {
	p := n.perf[space]
	if p == nil {
		return nil
	}
	delete(n.perf, space)
	return p.finish
}

// look opens the list as it now stands, by a thread of the process. It keeps an earlier one where there is
// none any more.
func (p *PerfMap) look(tid, tgid int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open(tid, tgid)
}

func (p *PerfMap) open(tid, tgid int) {
	pid := tgid
	if id := tracer.Identify(tgid); id.NsTID != 0 {
		pid = id.NsTID
	}
	f, err := openPerfMap(tid, pid)
	if err != nil {
		return
	}
	if p.file != nil {
		p.file.Close()
	}
	p.file = f
}

var errNotTheirs = errors.New("not a file of the process's user")

// openPerfMap opens the list of the process that calls itself pid below the root of a thread of it. Anybody may have
// made it: it must be a regular file of root's or of the process's user.
func openPerfMap(tid, pid int) (*os.File, error) {
	f, err := openfile.UnderNoLink(fmt.Sprintf("/proc/%d/root", tid), fmt.Sprintf("/tmp/perf-%d.map", pid))
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && owner(st) != 0 && owner(st) != procfs.EffectiveUser(tid) {
		err = errNotTheirs
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func owner(st fs.FileInfo) int { return int(st.Sys().(*syscall.Stat_t).Uid) }

// finish marks the list as complete: the process writes no more.
func (p *PerfMap) finish() {
	p.mu.Lock()
	p.last = true
	p.mu.Unlock()
}

// resolve names addresses of the process. It reports whether the list has had its last reading; the file is closed
// then. Unless early is set only the last reading is made, since a later line may give an address to a second
// function.
func (p *PerfMap) resolve(addrs []uint64, early bool, yield func(uint64, symbolize.Symbol)) (done bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.last && !early {
		return false
	}
	if p.file == nil && !p.last {
		p.open(p.tid, p.tgid)
	}
	if p.file != nil && len(addrs) > 0 {
		if _, err := p.file.Seek(0, io.SeekStart); err == nil {
			// After a read error the remaining addresses stay unnamed.
			_ = symbolize.ResolvePerfMap(p.file, addrs, yield)
		}
	}
	if p.last && p.file != nil {
		p.file.Close()
		p.file = nil
	}
	return p.last
}
