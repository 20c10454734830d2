package vm

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// SmapsEntry is one row of /proc/PID/smaps with the figures that reports use, in bytes; 0 where the kernel gives
// none.
type SmapsEntry struct {
	Mapping
	// These include hugetlbfs pages, which the kernel leaves out of its own Rss and Pss (fs/proc/task_mmu.c,
	// smaps_hugetlb_range). Shared hugetlbfs pages are not in Pss: the number of their sharers is unknown.
	Rss, Pss, PrivateDirty, Swap uint64
	// Parts of Rss: pages that are mapped more than once, those in huge pages, and those locked in memory (of Locked
	// the kernel tells the share that Pss is, and so it is at most that).
	Shared, Huge, Locked uint64
	// PageSize is the size of one page: larger than the constant PageSize for hugetlbfs pages.
	PageSize uint64

	// AnonName is the name that prctl(2) PR_SET_VMA gave, of a File.Path "[anon:name]" or
	// "[anon_shmem:name]".
	AnonName string
	// VmFlags are the kernel's two-letter words, separated by single spaces ("rd wr mr mw me ac sd").
	VmFlags string
}

// ParseSmaps reads the text of /proc/PID/smaps (proc(5), fs/proc/task_mmu.c show_smap) and appends its
// rows to dst, [vsyscall] left out. Lines it does not know are skipped, so that the text of /proc/PID/maps
// gives rows without figures. As in ParseMaps, text may be reused, and an error names the line.
func ParseSmaps(dst []SmapsEntry, text []byte) ([]SmapsEntry, error) {
	p := SmapsParser{Rows: dst}
	err := p.Parse(text)
	return p.Rows, err
}

// SmapsParser does what ParseSmaps does, of a text that comes in pieces. The zero value is ready.
type SmapsParser struct {
	Rows []SmapsEntry // what has been read

	names   MapsParser
	lines   int
	begun   bool // figures may follow
	skip    bool // those of a row that is left out
	skipped SmapsEntry
}

// Parse reads the next whole lines.
func (p *SmapsParser) Parse(text []byte) error {
	for len(text) > 0 {
		p.lines++
		var line []byte
		line, text = cutLine(text)
		if len(line) == 0 {
			continue
		}
		name, value, ok := smapsField(line)
		if !ok {
			m, err := p.names.row(line)
			if err != nil {
				return fmt.Errorf("line %d: %w", p.lines, err)
			}
			p.begun, p.skip = true, m.Start >= VsyscallStart
			if !p.skip {
				if len(p.Rows) == cap(p.Rows) {
					p.Rows = slices.Grow(p.Rows, max(len(p.Rows), 64)) // append grows long lists by little, and copies more
				}
				p.Rows = append(p.Rows, SmapsEntry{Mapping: m, AnonName: anonName(m.File.Path)})
			}
			continue
		}
		if !p.begun {
			return fmt.Errorf("line %d: %w", p.lines, errSmapsOrder)
		}
		e := &p.skipped
		if !p.skip {
			e = &p.Rows[len(p.Rows)-1]
		}
		if err := p.names.field(e, name, value); err != nil {
			return fmt.Errorf("line %d: %s: %w", p.lines, name, err)
		}
	}
	return nil
}

var (
	errSmapsOrder = errors.New("a figure before the first row")
	errSmapsSize  = errors.New("not a number of kB")
)

// Newest takes out of rows what later ones of them replace, and returns the rest in the same memory. The kernel gives the text of maps and smaps
// a page at a time, and lets the process go on between two (Documentation/filesystems/proc.rst): a row that has grown downwards meanwhile is shown
// from its start on, above which the rows before it had been shown. cut reports whether a row has lost a part only: its figures, of which none is
// more than what is left of it, were those of all of it. Rows that are out of order in another way are left alone.
func Newest(rows []SmapsEntry) (list []SmapsEntry, cut bool) {
	list = rows[:0]
	for i := range rows {
		e := &rows[i]
		n := len(list)
		if n > 0 && e.Start < list[n-1].End && list[n-1].End <= e.End {
			for n > 0 && e.Start <= list[n-1].Start {
				n--
			}
			list = list[:n]
			if n > 0 && e.Start < list[n-1].End {
				list[n-1].keepBelow(e.Start)
				cut = true
			}
		}
		list = append(list, *e)
	}
	return list, cut
}

// keepBelow cuts a row at end.
func (e *SmapsEntry) keepBelow(end uint64) {
	e.End = end
	for _, f := range [...]*uint64{&e.Rss, &e.Pss, &e.PrivateDirty, &e.Swap, &e.Shared, &e.Huge, &e.Locked} {
		*f = min(*f, e.Len())
	}
}

// smapsField splits "Rss:   12 kB". A row of maps has a blank before its first colon.
func smapsField(line []byte) (name, value []byte, ok bool) {
	i := bytes.IndexByte(line, ':')
	if i <= 0 || bytes.IndexByte(line[:i], ' ') >= 0 {
		return nil, nil, false
	}
	return line[:i], bytes.TrimSpace(line[i+1:]), true
}

func (p *MapsParser) field(e *SmapsEntry, name, value []byte) error {
	var to [4]*uint64
	switch string(name) {
	case "KernelPageSize":
		to = [4]*uint64{&e.PageSize}
	case "Rss":
		to = [4]*uint64{&e.Rss}
	case "Pss":
		to = [4]*uint64{&e.Pss}
	case "Private_Dirty":
		to = [4]*uint64{&e.PrivateDirty}
	case "Swap":
		to = [4]*uint64{&e.Swap}
	case "Shared_Clean", "Shared_Dirty":
		to = [4]*uint64{&e.Shared}
	case "AnonHugePages", "ShmemPmdMapped", "FilePmdMapped":
		to = [4]*uint64{&e.Huge}
	case "Locked":
		to = [4]*uint64{&e.Locked}
	case "Private_Hugetlb":
		to = [4]*uint64{&e.Rss, &e.Pss, &e.PrivateDirty, &e.Huge}
	case "Shared_Hugetlb":
		to = [4]*uint64{&e.Rss, &e.Shared, &e.Huge}
	case "VmFlags":
		e.VmFlags = p.text(value)
		return nil
	default:
		return nil
	}
	number, ok := bytes.CutSuffix(value, []byte(" kB"))
	c := cursor{rest: number}
	v := c.decimal()
	if !ok || c.bad || len(c.rest) > 0 || v > (1<<64-1)>>10 {
		return errSmapsSize
	}
	for _, n := range to {
		if n != nil {
			*n += v << 10
		}
	}
	return nil
}

// anonName returns the name in "[anon:name]" and "[anon_shmem:name]", "" for other paths.
func anonName(path string) string {
	name, ok := strings.CutPrefix(path, "[anon:")
	if !ok {
		name, ok = strings.CutPrefix(path, "[anon_shmem:")
	}
	if !ok || !strings.HasSuffix(name, "]") {
		return ""
	}
	return name[:len(name)-1]
}
