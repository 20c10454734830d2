package record

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/corefile"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/inspect"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/procfs"
	"github.com/vmblame/vmblame/internal/vm"
)

// savedMap holds what a file (a core, or saved text) says of a process, which may no longer exist, at one moment.
type savedMap struct {
	pid     int
	exe     string
	argv    []string
	rows    []vm.SmapsEntry
	figures bool // the rows have the kernel's figures
	threads []inspect.Thread
	found   []classify.Finding
	lacks   string // what the file cannot show
}

// log returns the records of a log of that moment, without what is unknown of the machine and of the process's
// environment.
func (s *savedMap) log(tool string, start time.Time) []eventlog.Record {
	now := func() int64 { return time.Since(start).Nanoseconds() }
	enc := newEncoder()
	of := ledger.New()
	rows := make([]vm.Mapping, len(s.rows))
	for i := range s.rows {
		rows[i] = s.rows[i].Mapping
	}
	of.Load(rows, func(vm.Mapping) ledger.Origin { return ledger.Origin{Cause: ledger.BeforeAttach} })
	header := &eventlog.Header{Format: "vmblame", Version: eventlog.Version, Tool: tool, Mode: "map", Command: s.argv, Started: start.Format(time.RFC3339Nano),
		Host: eventlog.Host{Arch: "x86_64", PageSize: vm.PageSize}, Environment: eventlog.Environment{}}
	log := []eventlog.Record{header, &eventlog.Space{Space: 1, PID: s.pid, Cause: "attach", Exe: s.exe, Argv: s.argv, Mappings: enc.mappings(of)}}
	for _, t := range s.threads {
		log = append(log, &eventlog.Thread{TID: t.TID, PID: s.pid, Space: 1, What: "start", Name: t.Name, SP: eventlog.Hex(t.SP)})
	}
	log = append(log, &eventlog.Note{T: now(), Level: "info", Code: "saved-map", Text: s.lacks})
	if len(s.found) > 0 {
		c := &eventlog.Content{T: now(), Space: 1}
		for i := range s.found {
			c.Findings = append(c.Findings, finding(&s.found[i]))
		}
		log = append(log, c)
	}
	if s.figures {
		list, _ := enc.figures(of.List(), s.rows, &procfs.Pagemap{}) // each of its rows is a mapping
		log = append(log, &eventlog.Snapshot{T: now(), Space: 1, Cause: "map", Mappings: list})
	}
	return append(log, &eventlog.End{T: now(), Cause: "detach"})
}

// MapCore returns the log of the moment at which a core file was written, like Map.
func MapCore(path, tool string) ([]eventlog.Record, error) {
	start := time.Now()
	f, err := corefile.Open(path)
	if err != nil {
		return nil, &Error{Failed, fmt.Sprintf("map: %v", err)}
	}
	defer f.Close()
	p := inspect.OfCore(f)
	s := &savedMap{pid: f.PID, exe: f.Exe(), argv: strings.Fields(f.Command), rows: p.Rows, threads: p.Threads, found: inspect.Look(p),
		lacks: "a core file does not tell what was in memory, which mappings were shared, nor the names of threads; what was not written into it (coredump_filter) is known by its mappings alone"}
	if missing := len(f.Rows) + len(f.Lost) - len(p.Rows); missing > 0 {
		s.lacks += fmt.Sprintf("; %d mappings of files are missing in it", missing)
	}
	if len(s.argv) == 0 && f.Name != "" {
		s.argv = []string{f.Name}
	}
	return s.log(tool, start), nil
}

// MapText returns a log of one moment from saved text: that of /proc/PID/maps or smaps, or the output of pmap. Its
// error is vm.ErrNoRows if the text is none of these.
func MapText(text []byte, tool string) ([]eventlog.Record, error) {
	start := time.Now()
	s, err := savedText(text)
	if err != nil {
		return nil, err
	}
	return s.log(tool, start), nil
}

// savedText reads such a text: as the kernel's, with all columns, or else as pmap's.
func savedText(text []byte) (*savedMap, error) {
	s := &savedMap{argv: []string{}, lacks: "a saved list of mappings does not tell what stood in memory: threads' stacks, arenas and runtimes are known by the shape of their mappings alone"}
	rows, err := vm.ParseSmaps(nil, text)
	if err == nil && len(rows) > 0 {
		s.rows, _ = vm.Newest(rows)
		for i := range s.rows {
			s.figures = s.figures || s.rows[i].Pss > 0 || s.rows[i].VmFlags != ""
		}
		if !s.figures {
			s.lacks += ", nor what was in memory (smaps tells)"
		}
	} else {
		pmap, pid, err := vm.ParseMapText(text)
		if err != nil {
			return nil, err
		}
		s.pid, s.lacks = pid, s.lacks+"; pmap leaves out offsets and inodes, and its figures are not enough to say what was in memory"
		for _, r := range pmap {
			perms, err := vm.ParsePerms(r.Perms)
			if err != nil {
				return nil, errors.New("a list of mappings without their permissions tells nothing")
			}
			s.rows = append(s.rows, vm.SmapsEntry{Mapping: vm.Mapping{Range: r.Range, Perms: perms, File: vm.File{Path: pmapPath(r.Path)}}})
		}
	}
	for i := range s.rows {
		m := &s.rows[i].Mapping
		if m.Empty() || (m.Start|m.End|m.Offset)%vm.PageSize != 0 || m.End > vm.AddressMax || m.Offset != 0 && !m.File.Backed() || m.File.Inode != 0 && m.File.Path == "" {
			return nil, fmt.Errorf("not a list of mappings: %v is no row", m.Range)
		}
		if i > 0 && m.Start < s.rows[i-1].End {
			return nil, fmt.Errorf("not a list of mappings: %v lies before the row in front of it", m.Range)
		}
	}
	return s, nil
}

// pmapPath translates the name in a row of pmap to a path as /proc/PID/maps shows it. pmap writes the kernel's labels
// in its own way, and of a file only the base name unless it was run with -p.
func pmapPath(path string) string {
	switch path {
	case "", "[ anon ]", "anon": // -X and -XX write nothing
		return ""
	case "[ stack ]":
		return "[stack]"
	}
	if strings.HasPrefix(path, "/") || strings.HasPrefix(path, "[") || strings.HasPrefix(path, "anon_inode:") {
		return path
	}
	return "/?/" + path
}
