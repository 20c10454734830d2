package watch

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/text"
)

// A line is a line of a list that the cursor can stand on.
type line struct {
	figures
	growth  int64 // bytes of addresses since the frame that growth counts from
	course  []int64
	name    string // of a process, or what it is
	who     callers.Chain
	perms   string
	when    string
	thread  string
	pid     int
	key     string
	parts   int // how many it has
	address uint64
}

// A list is what a level shows.
type list struct {
	head  string // what it is a list of
	lines []line
}

// sorts are the orders that can be chosen.
var sorts = [...]struct {
	name    string
	compare func(a, b *line) int
}{
	{"addresses", func(a, b *line) int { return cmp.Compare(b.addresses, a.addresses) }},
	{"growth", func(a, b *line) int { return cmp.Compare(b.growth, a.growth) }},
	{"resident", func(a, b *line) int { return cmp.Compare(b.resident, a.resident) }},
	{"usable", func(a, b *line) int { return cmp.Compare(b.usable, a.usable) }},
	{"count", func(a, b *line) int { return cmp.Compare(b.count, a.count) }},
	{"name", func(a, b *line) int { return strings.Compare(a.name, b.name) }},
}

// list returns what the present level shows of the present frame.
func (m *model) list() list {
	f := m.shown()
	if f == nil {
		return list{}
	}
	var l list
	switch m.level {
	case atProcesses:
		l = m.processes(f)
	case atRows:
		l = m.rows(f)
	case atParts:
		l = m.parts()
	default:
		l = m.ranges()
	}
	if m.filter != "" {
		want := strings.ToLower(m.filter)
		l.lines = slices.DeleteFunc(l.lines, func(x line) bool {
			return !strings.Contains(strings.ToLower(x.name+" "+x.who.Text(0)+" "+x.thread+" "+strconv.Itoa(x.pid)), want)
		})
	}
	slices.SortStableFunc(l.lines, func(a, b line) int {
		return cmp.Or(sorts[m.sort].compare(&a, &b), cmp.Compare(b.addresses, a.addresses), strings.Compare(a.name, b.name), cmp.Compare(a.address, b.address), cmp.Compare(a.pid, b.pid))
	})
	m.cursor[m.level] = max(min(m.cursor[m.level], len(l.lines)-1), 0)
	return l
}

// course returns the values of a figure over the last frames up to the one shown: as many as a sparkline shows.
func (m *model) course(of func(f *frame) int64) (list []int64) {
	for _, f := range m.frames[max(m.pos+1-sparkWidth, 0) : m.pos+1] {
		list = append(list, of(f))
	}
	return list
}

func (m *model) processes(f *frame) list {
	l := list{head: m.look.Word("processes")}
	base := m.frameAt(m.base)
	for pid, n := range f.procs {
		l.lines = append(l.lines, line{figures: n, growth: n.addresses - base.procs[pid].addresses, name: m.register.words[n.words].label, pid: pid,
			course: m.course(func(f *frame) int64 { return f.procs[pid].addresses })})
	}
	return l
}

func (m *model) rows(f *frame) list {
	by := bys[m.by]
	l := list{head: m.look.Say("%s by %s", m.processName(), m.look.Word(string(by)))}
	base := m.frameAt(m.base)
	deeper := map[string]int{}
	if p := m.reported(); p != nil {
		for i := range p.Holders {
			deeper[identity(by, &p.Holders[i])] = len(p.Holders[i].Parts)
		}
	}
	for k, n := range f.rows[by] {
		if k.pid != m.pid {
			continue
		}
		r, key := &m.register.words[n.words], m.register.keys[k.row]
		l.lines = append(l.lines, line{figures: n, growth: n.addresses - base.rows[by][k].addresses, name: r.label, who: r.who, key: key, parts: deeper[key],
			course: m.course(func(f *frame) int64 { return f.rows[by][k].addresses })})
	}
	return l
}

// reported returns the selected process in the report of the moment, nil if it is not there.
func (m *model) reported() *analysis.ReportProcess {
	r := m.report()
	if r == nil {
		return nil
	}
	for i := range r.Processes {
		if r.Processes[i].PID == m.pid {
			return &r.Processes[i]
		}
	}
	return nil
}

// holder returns the selected row, nil if it is not in the report of the moment.
func (m *model) holder() *analysis.Row {
	p := m.reported()
	if p == nil {
		return nil
	}
	for i := range p.Holders {
		if identity(bys[m.by], &p.Holders[i]) == m.key {
			return &p.Holders[i]
		}
	}
	return nil
}

func (m *model) parts() list {
	l := list{head: m.processName() + " > " + m.rowName()}
	h := m.holder()
	if h == nil {
		return l
	}
	for i := range h.Parts {
		p := &h.Parts[i]
		l.lines = append(l.lines, line{figures: figuresOf(&p.Totals), name: p.Label, who: p.Who, key: partIdentity(p)})
	}
	return l
}

func (m *model) ranges() list {
	l := list{head: m.processName() + " > " + m.rowName()}
	h := m.holder()
	if h == nil {
		return l
	}
	rows := []analysis.Row{*h}
	if m.part != "" {
		rows = slices.DeleteFunc(slices.Clone(h.Parts), func(p analysis.Row) bool { return partIdentity(&p) != m.part })
		if len(rows) > 0 {
			l.head += " > " + m.look.Told(rows[0].Label)
		}
	}
	for i := range rows {
		for j := range rows[i].Ranges {
			r := &rows[i].Ranges[j]
			x := line{figures: figures{addresses: r.Bytes, count: 1}, name: r.Label, who: r.Who, perms: r.Perms, address: uint64(r.Start), pid: m.pid, thread: analysis.ThreadLabel(r.TID, r.Thread)}
			if r.Resident != nil {
				x.resident, x.counted = *r.Resident, true
			}
			if r.T != nil {
				x.when = text.When(*r.T)
			}
			l.lines = append(l.lines, x)
		}
	}
	return l
}

func (m *model) processName() string {
	name := m.called(func(f *frame) (figures, bool) { n, ok := f.procs[m.pid]; return n, ok })
	return strings.TrimSuffix(strconv.Itoa(m.pid)+" "+name, " ")
}

func (m *model) rowName() string {
	by := bys[m.by]
	name := "?"
	if id, ok := m.register.ids[m.key]; ok {
		name = m.called(func(f *frame) (figures, bool) { n, ok := f.rows[by][rowKey{m.pid, id}]; return n, ok })
	}
	if by == analysis.ByKind {
		return m.look.Told(name)
	}
	return name
}

// called returns the label at the moment shown or, if it has none then, the latest one; "?" if it never had one.
func (m *model) called(of func(*frame) (figures, bool)) string {
	if f := m.shown(); f != nil {
		if n, ok := of(f); ok {
			return m.register.words[n.words].label
		}
	}
	for _, f := range slices.Backward(m.frames) {
		if n, ok := of(f); ok {
			return m.register.words[n.words].label
		}
	}
	return "?"
}
