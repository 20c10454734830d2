package watch

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/locale"
	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/text"
)

// A logged source is a log of the reports' tests.
type logged struct {
	t    *testing.T
	file string
	told bool
}

func (l *logged) open() (*eventlog.Reader, error) {
	f, err := os.Open(l.file)
	if err != nil {
		return nil, err
	}
	return eventlog.NewReader(f)
}

func (l *logged) Name() string { return filepath.Base(l.file) }

func (l *logged) Next() (*analysis.State, error) {
	if l.told {
		return nil, io.EOF
	}
	l.told = true
	return analysis.Load(l.open, analysis.Moment{}, nil)
}

func (l *logged) Past(yield func(*analysis.State) bool) error {
	survey, err := analysis.Take(l.open, nil, 50, 10000, 0, 0)
	if err != nil {
		return err
	}
	return analysis.LoadEach(l.open, survey.Moments[:len(survey.Moments)-1], nil, func(_ int, s *analysis.State) error {
		yield(s)
		return nil
	})
}

func (l *logged) Load(at analysis.Moment) (*analysis.State, error) {
	return analysis.Load(l.open, at, nil)
}

func (l *logged) Detail(at analysis.Moment, pid int, addr uint64, _ text.Style) (string, error) {
	return fmt.Sprintf("all of %x in %d at %s", addr, pid, at), nil
}

// newView is a view of a log that has taken all of it, at a size.
func newView(t *testing.T, log string, width, height int) *model {
	t.Helper()
	m := newModel(&logged{t: t, file: log}, text.Style{}, func(*analysis.Report) (string, error) { return "a-file", nil })
	m.send = func(msg tea.Msg) { m.take(t, msg) }
	m.take(t, tea.WindowSizeMsg{Width: width, Height: height})
	m.take(t, m.next())
	m.take(t, m.past())
	return m
}

// take updates the view by a message and by all that its commands say.
func (m *model) take(t *testing.T, msg tea.Msg) {
	t.Helper()
	switch msg := msg.(type) {
	case nil:
		return
	case tea.BatchMsg:
		for _, cmd := range msg {
			if cmd != nil {
				m.take(t, cmd())
			}
		}
		return
	}
	if _, cmd := m.Update(msg); cmd != nil {
		m.take(t, cmd())
	}
	if m.height == 0 {
		return
	}
	lines := strings.Split(m.screen(), "\n")
	if len(lines) > m.height {
		t.Fatalf("%d lines on a screen of %d:\n%s", len(lines), m.height, m.screen())
	}
	for _, l := range lines {
		l = strings.NewReplacer("\x1b[7m", "", "\x1b[m", "").Replace(l)
		if text.Width(l) > m.width {
			t.Errorf("%d columns on a screen of %d: %q", text.Width(l), m.width, l)
		}
	}
}

func (m *model) press(t *testing.T, keys ...string) {
	t.Helper()
	special := map[string]rune{"enter": tea.KeyEnter, "esc": tea.KeyEscape, "left": tea.KeyLeft, "right": tea.KeyRight, "up": tea.KeyUp, "down": tea.KeyDown, "space": tea.KeySpace, "end": tea.KeyEnd, "home": tea.KeyHome, "backspace": tea.KeyBackspace, "pgdown": tea.KeyPgDown, "pgup": tea.KeyPgUp}
	for _, k := range keys {
		if code, ok := special[k]; ok {
			m.take(t, tea.KeyPressMsg{Code: code})
			continue
		}
		m.take(t, tea.KeyPressMsg{Code: []rune(k)[0], Text: k})
	}
}

const caseLog = "../report/testdata/case.jsonl"

// TestKeysKeepTheScreen: whatever is pressed in whatever order, at whatever size, the screen fits the terminal.
func TestKeysKeepTheScreen(t *testing.T) {
	logs := testenv.Files(t, "../report/testdata/*.jsonl")
	keys := []string{"enter", "down", "enter", "s", "left", "enter", "end", "esc", "b", "/", "a", "enter", "?", "x", "up", "g", "m", "right", "space", "space", "w", "esc", "esc", "pgdown", "pgup", "/", "esc", "[", "]", "G", "S", "home", "enter", "backspace", "esc", "b"}
	chinese, err := locale.Named("zh")
	if err != nil {
		t.Fatal(err)
	}
	for _, log := range logs {
		for i, size := range [][2]int{{40, 6}, {60, 12}, {100, 24}, {200, 50}, {10, 3}, {1, 1}, {60, 12}, {100, 24}} {
			m := newView(t, log, size[0], size[1])
			if i > 5 {
				m.look.Words = chinese
			}
			for round := range 3 {
				m.press(t, keys[round:]...)
			}
		}
	}
}

// TestFramesAreReports: at every moment the sums of the frames are those of a report of that moment.
func TestFramesAreReports(t *testing.T) {
	for _, log := range []string{caseLog, "../report/testdata/children.jsonl", "../eventlog/testdata/real-exec_chain.jsonl"} {
		framesAreReports(t, log)
	}
}

func framesAreReports(t *testing.T, log string) {
	t.Helper()
	m := newView(t, log, 100, 30)
	if len(m.frames) < 5 {
		t.Fatalf("%s: %d frames", log, len(m.frames))
	}
	source := m.source.(*logged)
	for _, f := range m.frames {
		s, err := source.Load(f.moment())
		if err != nil {
			t.Fatal(err)
		}
		for _, by := range bys {
			r := s.Report(analysis.ReportOptions{By: by})
			for i := range r.Processes {
				p := &r.Processes[i]
				if name := m.register.words[f.procs[p.PID].words].label; name != p.Name {
					t.Errorf("at %s process %d is called %s, in the report %s", f.moment(), p.PID, name, p.Name)
				}
				if f.procs[p.PID].addresses != p.Total.Reserved {
					t.Errorf("at %s process %d has %d bytes, the report %d", f.moment(), p.PID, f.procs[p.PID].addresses, p.Total.Reserved)
				}
				for j := range p.Holders {
					h := &p.Holders[j]
					if got := f.rows[by][rowKey{p.PID, m.register.ids[identity(by, h)]}]; got.addresses != h.Reserved || got.usable != h.Committed || got.counted != (h.Resident != nil) || got.counted && got.resident != *h.Resident {
						t.Errorf("at %s, by %s, %s: %+v, the report %+v", f.moment(), by, h.Label, got, h.Totals)
					} else if said := m.register.words[got.words]; said.label != h.Label || said.who.Whole() != h.Who.Whole() {
						t.Errorf("at %s, by %s, %s of %s is called %s of %s", f.moment(), by, h.Label, h.Who.Whole(), said.label, said.who.Whole())
					}
				}
			}
		}
	}
}

// TestTimeGoesBack: scrubbing shows the moments in their order, pauses, and goes back to the newest.
func TestTimeGoesBack(t *testing.T) {
	m := newView(t, caseLog, 100, 30)
	last := m.pos
	if last != len(m.frames)-1 || !m.live {
		t.Fatalf("the view begins at %d of %d", last, len(m.frames))
	}
	m.press(t, "left", "left")
	if m.pos != last-2 || m.live || !strings.Contains(m.screen(), "[paused]") {
		t.Errorf("two back is %d of %d, live %v", m.pos, len(m.frames), m.live)
	}
	if m.state == nil || m.state.T != m.frames[m.pos].t {
		t.Error("the state is not that of the moment")
	}
	m.press(t, "g")
	if m.pos != 0 {
		t.Errorf("the beginning is %d", m.pos)
	}
	m.press(t, "left")
	if m.pos != 0 {
		t.Errorf("before the beginning is %d", m.pos)
	}
	m.press(t, "space")
	if m.pos != last || !m.live {
		t.Errorf("the newest is %d of %d, live %v", m.pos, len(m.frames), m.live)
	}
}

// TestGrowth: it counts from the first moment, or from one that was marked.
func TestGrowth(t *testing.T) {
	m := newView(t, caseLog, 120, 30)
	growth := func() (sum int64) {
		for _, l := range m.list().lines {
			sum += l.growth
		}
		return sum
	}
	total := func(i int) int64 { return m.frames[i].total().addresses }
	if got, want := growth(), total(m.pos)-total(0); got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
	m.press(t, "left", "left", "m", "G")
	if got, want := growth(), total(m.pos)-total(m.base); got != want || m.base == 0 {
		t.Errorf("from the mark %d: %d bytes, want %d", m.base, got, want)
	}
}

// TestDeeper: enter goes from a process to its rows, owners, mappings and what is known of one, and esc back.
func TestDeeper(t *testing.T) {
	m := newView(t, caseLog, 120, 30)
	if m.level != atRows {
		t.Fatalf("one process alone is shown at level %d", m.level)
	}
	for i, l := range m.list().lines {
		if l.parts > 1 {
			m.cursor[atRows] = i
		}
	}
	m.press(t, "enter")
	if m.level != atParts || len(m.list().lines) < 2 {
		t.Fatalf("level %d with %d lines", m.level, len(m.list().lines))
	}
	m.press(t, "enter")
	if m.level != atRanges || len(m.list().lines) == 0 {
		t.Fatalf("level %d with %d lines", m.level, len(m.list().lines))
	}
	address := m.list().lines[0].address
	m.press(t, "enter")
	if want := fmt.Sprintf("all of %x in %d at end", address, m.pid); !strings.Contains(m.screen(), want) {
		t.Errorf("%q is missing:\n%s", want, m.screen())
	}
	m.press(t, "esc", "esc", "esc", "esc")
	if m.level != atProcesses {
		t.Errorf("level %d", m.level)
	}
}

// TestGivenBack: of a log with --advice the first line says what was given back up to the moment.
func TestGivenBack(t *testing.T) {
	m := newView(t, "../eventlog/testdata/real-advice.jsonl", 120, 30)
	if line, _, _ := strings.Cut(m.screen(), "\n"); !strings.Contains(line, "256 KiB given back") {
		t.Errorf("at the end: %q", line)
	}
	m.press(t, "g")
	if line, _, _ := strings.Cut(m.screen(), "\n"); strings.Contains(line, "given back") {
		t.Errorf("at the start: %q", line)
	}
}

// TestFrames: thousands of moments are kept within bounds, in their order, with the one that is shown among them.
func TestFrames(t *testing.T) {
	m := newModel(&logged{t: t}, text.Style{}, nil)
	for i := range 10 * mostFrames {
		m.insert(&frame{t: int64(i), procs: map[int]figures{}})
		if i == mostFrames/2 {
			m.pos, m.live = len(m.frames)-1, false
		}
	}
	if len(m.frames) > mostFrames {
		t.Errorf("%d frames", len(m.frames))
	}
	if f := m.shown(); f.t != mostFrames/2 {
		t.Errorf("the frame of %d is shown", f.t)
	}
	for i := range m.frames[1:] {
		if m.frames[i].t >= m.frames[i+1].t {
			t.Fatalf("frame %d is out of order", i+1)
		}
	}
	m.insert(&frame{t: 0, seq: 0, procs: map[int]figures{1: {addresses: 4096}}})
	if m.frames[0].total().addresses != 4096 {
		t.Error("a frame of the same moment does not replace the one before")
	}
	m.base = m.pos
	if m.insert(&frame{t: mostFrames / 2, procs: map[int]figures{1: {addresses: 8192}}}); m.shown().t != mostFrames/2 || m.shown().total().addresses != 8192 || m.base != m.pos {
		t.Errorf("the frame that is shown is replaced: %+v is shown, growth counts from %d", m.shown(), m.base)
	}
}

// TestSpark: the largest value is a full bar, what is more than nothing is seen.
func TestSpark(t *testing.T) {
	if got := spark([]int64{0, 1, 500, 1000}); got != " ▁▄█" {
		t.Errorf("%q", got)
	}
}
