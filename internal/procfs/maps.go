package procfs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/vmblame/vmblame/internal/kernelfile"
	"github.com/vmblame/vmblame/internal/vm"
)

// Maps reads what the kernel says is mapped in one address space: /proc/TID/maps, held open. The descriptor belongs
// to the mm and not to the task (fs/proc/task_mmu.c, proc_maps_open), so that it stays right across exec. Once the
// thread that it was opened through has been reaped it cannot be read, and is reopened. It is not safe for concurrent
// use.
type Maps struct {
	// Alive returns a thread that uses the address space, 0 for none; Alive is nil where there is never another.
	Alive func() int

	file  *os.File // nil between reads after Loosen
	loose bool
	tid   int
	query bool // the kernel has PROCMAP_QUERY, as far as is known
	text  []byte
	rows  []vm.Mapping
	name  []byte
	page  uint64 // page size of the row that ask found last
}

// ErrGone says that the address space has ended: its last user is past its exit.
var ErrGone = errors.New("the address space is gone")

// OpenMaps opens the maps of the address space that thread tid uses now.
func OpenMaps(tid int) (*Maps, error) {
	f, err := kernelfile.Open(path(tid, "maps"))
	if err != nil {
		return nil, fmt.Errorf("read maps of %d: %w", tid, errors.Unwrap(err))
	}
	return &Maps{file: f, tid: tid, query: true, name: make([]byte, 4096)}, nil
}

// Close gives the descriptor back.
func (m *Maps) Close() {
	if m.file != nil {
		m.file.Close()
	}
}

// Loosen closes the descriptor now and after each read, for a caller with more address spaces than descriptors. Each
// read reopens it through Alive, which must be set.
func (m *Maps) Loosen() {
	m.loose = true
	m.release()
}

func (m *Maps) release() {
	if m.loose && m.file != nil {
		m.file.Close()
		m.file = nil
	}
}

// hold makes sure that the descriptor is open.
func (m *Maps) hold() error {
	if m.file != nil {
		return nil
	}
	tid := m.Alive()
	if tid == 0 {
		return ErrGone
	}
	other, err := OpenMaps(tid)
	if err != nil {
		return err
	}
	m.file, m.tid = other.file, other.tid
	return nil
}

// All returns every row. The slice is valid until the next call. ErrGone where the mm has ended.
func (m *Maps) All() ([]vm.Mapping, error) {
	if err := m.hold(); err != nil {
		return nil, err
	}
	defer m.release()
	rows, err := m.readAll()
	if errors.Is(err, syscall.ESRCH) && m.Alive != nil {
		other, openErr := OpenMaps(m.Alive())
		if openErr != nil {
			return nil, err
		}
		m.file.Close()
		m.file, m.tid = other.file, other.tid
		return m.readAll()
	}
	return rows, err
}

func (m *Maps) readAll() ([]vm.Mapping, error) {
	if m.text == nil {
		m.text = make([]byte, 64<<10)
	}
	n := 0
	for {
		if n == len(m.text) {
			m.text = append(m.text, make([]byte, len(m.text))...)
		}
		got, err := m.file.ReadAt(m.text[n:], int64(n))
		n += got
		if err == io.EOF || got == 0 && err == nil {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read maps of %d: %w", m.tid, err)
		}
	}
	if n == 0 {
		return nil, ErrGone
	}
	rows, err := vm.ParseMaps(m.rows[:0], m.text[:n])
	if err != nil {
		return nil, fmt.Errorf("read maps of %d: %w", m.tid, err)
	}
	m.rows = rows
	return rows, nil
}

// In returns the rows that touch r, whole. The slice is valid until the next call.
func (m *Maps) In(r vm.Range) ([]vm.Mapping, error) {
	if err := m.hold(); err != nil {
		return nil, err
	}
	defer m.release()
	if m.query {
		rows, err := m.ask(r)
		if err == nil || errors.Is(err, ErrGone) {
			return rows, err
		}
		m.query = false // the kernel does not know it, or a sandbox refuses it
	}
	rows, err := m.All()
	if err != nil {
		return nil, err
	}
	lo, hi := 0, len(rows)
	for lo < hi && rows[lo].End <= r.Start {
		lo++
	}
	for hi > lo && rows[hi-1].Start >= r.End {
		hi--
	}
	return rows[lo:hi], nil
}

// At returns the row that covers addr.
func (m *Maps) At(addr uint64) (vm.Mapping, bool) {
	rows, err := m.In(vm.Range{Start: addr, End: addr + 1})
	if err != nil || len(rows) == 0 || !rows[0].Contains(addr) {
		return vm.Mapping{}, false
	}
	return rows[0], true
}

// PageSize returns the page size in bytes of row, which At has just returned: more than vm.PageSize for huge pages.
func (m *Maps) PageSize(row vm.Mapping) uint64 {
	if m.query {
		return m.page
	}
	if row.File.Dev.Major != 0 || row.Start%leastHugePage != 0 || row.Offset%leastHugePage != 0 {
		return vm.PageSize // smaps is much work for the kernel
	}
	rows, err := Smaps(m.tid)
	if err != nil {
		return vm.PageSize
	}
	for i := range rows {
		if rows[i].Contains(row.Start) {
			return max(rows[i].PageSize, vm.PageSize)
		}
	}
	return vm.PageSize
}

const leastHugePage = 2 << 20
