package naming

import (
	"bytes"
	"errors"
	"io"
	"os"
	"time"

	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/eventlog"
)

// Rest is what a recording has left to name, for another process: its JSON, and its files as descriptors.
type Rest struct {
	DebugDirs, Debuginfod []string // as in Options
	Modules               []RestModule

	files []*os.File
}

// RestModule is a module of which addresses have no name yet.
type RestModule struct {
	Module    int
	Name      string // of the file
	Label     string // of the Source
	Made      time.Time
	Size      int64    // in bytes, when it was opened
	Image     []byte   // of a file that is in memory alone
	File      int      // else its place among Files
	Debug     int      // that of the debug file of the Source, -1 for none
	Addresses []uint64 // some may stand there twice
}

// Files are the files that the other process needs, in this order. They remain the recording's.
func (r *Rest) Files() []*os.File { return r.files }

// add adds addresses of a module. Addresses of code in no file, or of an unknown module, are dropped: nothing can be
// found for them any more.
func (r *Rest) add(id int, s *Source, addrs []uint64) {
	if s == nil || s.File == nil || len(addrs) == 0 {
		return
	}
	m := RestModule{Module: id, Name: s.File.Name(), Label: s.Label, Made: s.Made, Size: s.File.Size(), Debug: -1, Addresses: addrs}
	if f := s.File.OS(); f != nil {
		m.File = r.file(f)
	} else {
		m.Image = make([]byte, m.Size)
		if _, err := s.File.ReadAt(m.Image, 0); err != nil && !errors.Is(err, io.EOF) {
			return
		}
	}
	if s.Debug != nil && s.Debug.OS() != nil {
		m.Debug = r.file(s.Debug.OS())
	}
	r.Modules = append(r.Modules, m)
}

// file returns the place of a file among Files.
func (r *Rest) file(f *os.File) int {
	r.files = append(r.files, f)
	return len(r.files) - 1
}

// Open opens the files of a Rest that was read from its JSON: open does it by their place among Files.
func (r *Rest) Open(open func(place int) *os.File) {
	for i := range r.Modules {
		m := &r.Modules[i]
		if m.Image != nil {
			m.File = -1
		}
		for place := max(m.File, m.Debug); len(r.files) <= place; {
			r.files = append(r.files, open(len(r.files)))
		}
	}
}

// Names are the names that were found, by module and address.
func (r *Rest) Names() []eventlog.Record {
	n := New(Options{DebugDirs: r.DebugDirs, Debuginfod: r.Debuginfod})
	for i := range r.Modules {
		m := &r.Modules[i]
		s := &Source{Label: m.Label}
		var err error
		if m.Image != nil {
			s.Intact = func() bool { return true }
			s.File, err = elffile.Open(bytes.NewReader(m.Image), int64(len(m.Image)), m.Name)
		} else {
			f := r.files[m.File]
			s.File, err = elffile.OpenFile(f, m.Name)
			s.Intact = func() bool {
				st, err := f.Stat()
				return err == nil && st.Size() == m.Size && st.ModTime().Equal(m.Made)
			}
		}
		if err != nil {
			continue // it can be read no more
		}
		if m.Debug >= 0 {
			s.Debug, _ = elffile.OpenFile(r.files[m.Debug], r.files[m.Debug].Name())
		}
		n.Module(m.Module, s)
		n.todo[m.Module] = append(n.todo[m.Module], m.Addresses...)
	}
	return n.Resolve()
}
