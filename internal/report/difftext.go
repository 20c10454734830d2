package report

import (
	"fmt"
	"strings"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/text"
)

// Text says what differs; names are what the two sides are called.
func (d *Diff) Text(names [2]string, l text.Style) []byte {
	var b []byte
	shown := 0
	for i, x := range d.pairs {
		if i > 0 && x.before != nil && x.after != nil && x.was == x.is {
			continue
		}
		if shown > 0 {
			b = append(b, '\n')
		}
		shown++
		if len(d.pairs) > 1 {
			b = append(b, x.title()...)
		}
		b = d.pairText(b, x, names, l)
	}
	if len(d.pairs) == 0 {
		b = append(b, "nothing is mapped at either moment\n"...)
	}
	b = append(b, d.settingsText(l)...)
	for i, x := range d.pairs {
		if i == 0 || len(d.pairs) == 1 {
			b = append(b, text.PrintableLines(d.reasonText(x, names, l))...)
		}
	}
	return b
}

func (x *pair) title() string {
	name := func(p *process) string {
		if p == nil {
			return "none"
		}
		return fmt.Sprintf("pid %d %s", p.PID, p.name())
	}
	return name(x.before) + " | " + name(x.after) + "\n"
}

func (d *Diff) pairText(b []byte, x *pair, names [2]string, l text.Style) []byte {
	g := &text.Table{Columns: []text.Column{
		{Color: text.Kind}, {Head: clipName(names[0]), Right: true, Color: text.Number}, {Head: clipName(names[1]), Right: true, Color: text.Number},
		{Head: "difference", Right: true, Color: text.Number}, {},
	}}
	size := func(s *sums, n int64) string {
		if s.pieces == 0 {
			return "-"
		}
		return l.Size(n)
	}
	line := func(label string, was, is *sums, tail ...text.Cell) {
		g.Add(append([]text.Cell{text.Plain(label), text.Plain(size(was, was.reserved)), text.Plain(size(is, is.reserved)), text.Plain(l.Change(is.reserved - was.reserved))}, tail...)...)
	}
	line("mapped", &x.was, &x.is)
	g.Add(text.Plain("accessible"), text.Plain(size(&x.was, x.was.committed)), text.Plain(size(&x.is, x.is.committed)), text.Plain(l.Change(x.is.committed-x.was.committed)))
	if (x.before == nil || x.before.taken >= 0) && (x.after == nil || x.after.taken >= 0) {
		g.Add(text.Plain("resident"), text.Plain(size(&x.was, x.was.rss)), text.Plain(size(&x.is, x.is.rss)), text.Plain(l.Change(x.is.rss-x.was.rss)))
	}
	same := 0
	for _, f := range x.families {
		differing := f.differing()
		if len(differing) == 0 {
			same++
			continue
		}
		if len(f.parts) == 1 {
			line("  "+f.label, &f.was, &f.is, text.Plain(f.parts[0].remark(l)))
			continue
		}
		line("  "+f.label, &f.was, &f.is)
		for _, o := range differing {
			line("    "+howMany(o), &o.was, &o.is, text.Plain(o.remark(l)))
		}
	}
	b = g.Append(b, l)
	if same > 0 {
		b = fmt.Appendf(b, "%s the same on both sides\n", countText(same, "kind"))
	}
	return b
}

// howMany counts the things on both sides: "3 of these", "0 | 1".
func howMany(o *changed) string {
	if o.was.things == o.is.things {
		return fmt.Sprintf("%d of these", o.is.things)
	}
	return fmt.Sprintf("%d | %d", o.was.things, o.is.things)
}

// differing are the parts that are not the same on both sides.
func (c *changed) differing() []*changed {
	var list []*changed
	for _, o := range c.parts {
		if o.bytes() != 0 || o.was.things != o.is.things || o.was.committed != o.is.committed {
			list = append(list, o)
		}
	}
	return list
}

// remark says who made it: "thread worker, first malloc in fopen < luaL_loadfilex; 8 KiB resident".
func (c *changed) remark(l text.Style) string {
	var parts []string
	if c.note != "" {
		parts = append(parts, c.note)
	}
	who := c.who.Text(max(l.Width-60, 40))
	if l.Whole {
		who = c.who.Text(0)
	}
	if c.kind == classify.GlibcArena {
		who = "first malloc in " + who
	}
	parts = append(parts, who)
	text := strings.Join(parts, ", ")
	more := &c.is
	if c.bytes() < 0 {
		more = &c.was
	}
	if more.rss*4 < more.reserved && more.reserved >= 1<<20 {
		text += "; " + l.Size(more.rss) + " resident"
	}
	return text
}

func clipName(s string) string {
	r := []rune(s)
	if len(r) > 24 {
		return "..." + string(r[len(r)-21:])
	}
	return s
}

// settingsText names every setting that differs.
func (d *Diff) settingsText(l text.Style) []byte {
	if len(d.Settings) == 0 {
		return []byte("environment: the same\n")
	}
	var list []string
	for _, s := range d.Settings {
		list = append(list, strings.ReplaceAll(text.Printable(s.text()), " ", "\u00a0"))
	}
	width := l.Width
	if l.Whole {
		width = 0
	}
	text := text.Fold("environment: "+strings.Join(list, "; "), width, "             ")
	return []byte(strings.ReplaceAll(text, "\u00a0", " ") + "\n")
}

// reasonText puts the largest difference and the setting that explains it into one line.
func (d *Diff) reasonText(x *pair, names [2]string, l text.Style) string {
	for _, f := range x.families {
		for _, o := range f.parts {
			n := o.bytes()
			if n == 0 {
				continue
			}
			for _, s := range d.Settings {
				if !explains(s.Name, o.kind) {
					continue
				}
				more, less, value := names[1], names[0], s.Before
				if n < 0 {
					more, less, value = names[0], names[1], s.After
				}
				if value == nil {
					value = s.After
					if n < 0 {
						value = s.Before
					}
					less = more
				}
				return fmt.Sprintf("because: %s has %s more: %s of %s; %s has %s=%s\n", more, l.Size(abs(n)), f.label, o.remark(l), less, s.Name, settingText(value))
			}
		}
	}
	return ""
}

// explains tells whether a setting changes how much there is of a kind.
func explains(name string, k classify.Kind) bool {
	for _, e := range explanations {
		if e.kind == k && strings.Contains(" "+e.settings+" ", " "+name+" ") {
			return true
		}
	}
	return false
}

// explanations are the settings that each kind of memory follows.
var explanations = [...]struct {
	kind     classify.Kind
	settings string
}{
	{classify.GlibcArena, "MALLOC_ARENA_MAX MALLOC_ARENA_TEST GLIBC_TUNABLES cpus LD_PRELOAD libc_build_id"},
	{classify.GlibcLarge, "MALLOC_MMAP_THRESHOLD_ MALLOC_MMAP_MAX_ GLIBC_TUNABLES LD_PRELOAD"},
	{classify.Heap, "MALLOC_TOP_PAD_ MALLOC_TRIM_THRESHOLD_ MALLOC_MMAP_THRESHOLD_ MALLOC_ARENA_MAX GLIBC_TUNABLES LD_PRELOAD"},
	{classify.ThreadStack, "rlimit_stack GLIBC_TUNABLES OMP_STACKSIZE OMP_NUM_THREADS RUST_MIN_STACK cpus"},
	{classify.MainStack, "rlimit_stack"},
	{classify.Jemalloc, "MALLOC_CONF JE_MALLOC_CONF _RJEM_MALLOC_CONF cpus LD_PRELOAD"},
	{classify.JemallocOwn, "MALLOC_CONF JE_MALLOC_CONF _RJEM_MALLOC_CONF cpus LD_PRELOAD"},
	{classify.GoHeap, "GOMEMLIMIT GOGC GODEBUG GOMAXPROCS cpus"},
	{classify.GoOwn, "GOMEMLIMIT GOGC GODEBUG GOMAXPROCS cpus"},
	{classify.JVMHeap, "JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS _JAVA_OPTIONS cgroup_memory_max cpus"},
	{classify.JVMGC, "JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS _JAVA_OPTIONS cgroup_memory_max cpus"},
	{classify.JVMCodeCache, "JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS _JAVA_OPTIONS"},
	{classify.JVMClassSpace, "JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS _JAVA_OPTIONS"},
	{classify.V8Heap, "NODE_OPTIONS"},
	{classify.V8Cage, "NODE_OPTIONS"},
	{classify.CPython, "PYTHONMALLOC"},
	{classify.Sanitizer, "ASAN_OPTIONS TSAN_OPTIONS LD_PRELOAD"},
}

// JSON is Text for programs.
func (d *Diff) JSON(names [2]string) any {
	type line struct {
		Label      string        `json:"label"`
		Kind       classify.Kind `json:"kind"`
		Before     Sums          `json:"before"`
		After      Sums          `json:"after"`
		Difference int64         `json:"difference"`
		Who        []string      `json:"who,omitempty"`
		Note       string        `json:"note,omitempty"`
		Parts      []line        `json:"parts,omitempty"`
	}
	type proc struct {
		Before     *int   `json:"pid_before"`
		After      *int   `json:"pid_after"`
		Difference int64  `json:"difference"`
		Kinds      []line `json:"kinds"`
		Because    string `json:"because,omitempty"`
	}
	type doc struct {
		Before    At        `json:"before"`
		After     At        `json:"after"`
		Processes []proc    `json:"processes"`
		Settings  []setting `json:"environment"`
	}
	o := doc{d.before.at(), d.after.at(), []proc{}, d.Settings}
	if o.Settings == nil {
		o.Settings = []setting{}
	}
	none := &process{taken: -1}
	for _, x := range d.pairs {
		j := proc{Difference: x.is.reserved - x.was.reserved, Kinds: []line{}, Because: strings.TrimSpace(strings.TrimPrefix(d.reasonText(x, names, text.Style{}), "because: "))}
		p, q := none, none
		if x.before != nil {
			p, j.Before = x.before, &x.before.PID
		}
		if x.after != nil {
			q, j.After = x.after, &x.after.PID
		}
		var lines func(list []*changed) []line
		lines = func(list []*changed) []line {
			var out []line
			for _, c := range list {
				out = append(out, line{c.label, c.kind, p.sumsOf(&c.was), q.sumsOf(&c.is), c.bytes(), c.who.Calls, c.note, lines(c.parts)})
			}
			return out
		}
		j.Kinds = append(j.Kinds, lines(x.families)...)
		o.Processes = append(o.Processes, j)
	}
	return o
}
