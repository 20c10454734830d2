package symbolize

import (
	"github.com/vmblame/vmblame/internal/debuginfo"
	"github.com/vmblame/vmblame/internal/elffile"
)

// An image is one file and the sources of its names.
type image struct {
	file    *elffile.File
	opts    Options
	exec    elffile.Code
	sources []source
	names   *cachedNames // nil where names are not kept

	debug      *elffile.File
	debugTried bool
	fetched    bool // debug is ours to close
	server     *servers
}

// openImage opens the sources of f in the order in which they are asked. debug is its separate debug file
// where that is known already, else nil.
func openImage(f, debug *elffile.File, opts Options, server *servers) *image {
	m := &image{file: f, opts: opts, exec: f.Code(), debug: debug, debugTried: debug != nil, server: server}
	for _, open := range []func(*image) source{
		openDWARF,
		openDebugFile,
		openPclntab,
		openSymbols,
	} {
		if s := open(m); s != nil {
			m.sources = append(m.sources, s)
		}
	}
	return m
}

func (m *image) close() {
	for _, s := range m.sources {
		s.close()
	}
	if m.fetched {
		m.debug.Close()
	}
}

// debugFile is the separate debug file of the image, nil if there is none: one of this machine, else one
// from a debuginfod server.
func (m *image) debugFile() *elffile.File {
	if m.debugTried {
		return m.debug
	}
	m.debugTried = true
	d, err := m.file.DebugFile(m.opts.DebugDirs)
	if err == nil {
		m.debug = d
		return d
	}
	id := m.file.BuildID()
	if len(m.opts.Debuginfod) == 0 || debuginfo.Has(m.file) || m.server.absent[id] {
		return nil
	}
	if d, err = m.opts.fetch(id, m.server); err != nil {
		m.server.absent[id] = true
		return nil
	}
	m.debug, m.fetched = d, true
	return d
}

// debugDirs are the directories of separate debug files.
func (m *image) debugDirs() []string {
	if len(m.opts.DebugDirs) > 0 {
		return m.opts.DebugDirs
	}
	return []string{elffile.DefaultDebugDir}
}
