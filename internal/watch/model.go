package watch

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/text"
)

// Run shows a source on the terminal until the user ends it.
func Run(s Source, style text.Style, save func(r *analysis.Report) (file string, err error)) error {
	m := newModel(s, style, save)
	p := tea.NewProgram(m)
	m.send = p.Send
	// A terminal that is closed is an end as q is: what is attached to is let go.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	go func() {
		<-hangup
		p.Quit()
	}()
	_, err := p.Run()
	close(m.quit)
	if errors.Is(err, tea.ErrInterrupted) {
		return nil // Ctrl-C from outside: it is an end as any other
	}
	return err
}

// level is which of the nested lists is shown.
type level int

const (
	atProcesses level = iota
	atRows            // of a process
	atParts           // of a row
	atRanges          // of a row, or of a part
	atDetail          // of a mapping
)

// model is the view. Everything in it belongs to the goroutine that calls Update.
type model struct {
	source Source
	look   text.Style // in which language, and whether in colours
	save   func(r *analysis.Report) (string, error)
	send   func(tea.Msg)
	quit   chan struct{} // closed when messages are no longer taken

	width, height int
	register      *register
	frames        []*frame // ascending
	pos           int      // the frame that is shown
	live          bool     // the newest frame is shown, whichever that is
	base          int      // the frame that growth counts from
	over          bool     // no more frames will come
	err           error

	// The state of the frame that is shown, nil while it is not there.
	state   *analysis.State
	stateOf *frame
	newest  *analysis.State // of the last frame
	asked   *frame          // whose state is being read
	reports map[analysis.By]*analysis.Report

	level   level
	by      int // index into bys
	sort    int // index into sorts
	pid     int
	key     string // of the row
	part    string // of the part
	address uint64 // of the mapping
	cursor  [atDetail + 1]int
	top     [atDetail + 1]int // the first line that is shown
	detail  []string
	filter  string
	typing  bool // the filter is being typed
	help    bool
	said    string // the last line, until the next key
}

func newModel(s Source, look text.Style, save func(r *analysis.Report) (string, error)) *model {
	return &model{source: s, look: look, save: save, register: newRegister(), live: true, reports: map[analysis.By]*analysis.Report{}, send: func(tea.Msg) {}, quit: make(chan struct{})}
}

// Messages.
type (
	stateMsg struct{ state *analysis.State } // the next one of the source
	// An earlier one. It has parts in common with those that follow, which are made when taken is closed.
	pastMsg struct {
		state *analysis.State
		taken chan struct{}
	}
	overMsg   struct{ err error } // nil: the source has ended
	saidMsg   string
	loadedMsg struct {
		frame *frame
		state *analysis.State
		err   error
	}
	detailMsg struct {
		address uint64
		text    string
		err     error
	}
)

// Init implements tea.Model.
func (m *model) Init() tea.Cmd { return tea.Batch(m.next, m.past) }

// next waits for the next state.
func (m *model) next() tea.Msg {
	s, err := m.source.Next()
	switch {
	case errors.Is(err, io.EOF):
		return overMsg{}
	case err != nil:
		return overMsg{err}
	}
	return stateMsg{s}
}

// past reads the moments before the present one.
func (m *model) past() tea.Msg {
	err := m.source.Past(func(s *analysis.State) bool {
		taken := make(chan struct{})
		m.send(pastMsg{s, taken})
		select {
		case <-taken:
			return true
		case <-m.quit:
			return false
		}
	})
	if err != nil {
		return saidMsg(err.Error())
	}
	return nil
}

// Update implements tea.Model.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		return m, m.askDetail()
	case tea.KeyPressMsg:
		return m, m.keyPressed(msg)
	case stateMsg:
		first := m.newest == nil
		m.newest = msg.state
		f := m.register.frame(msg.state)
		m.insert(f)
		if first {
			m.begin(f)
		}
		if m.live {
			m.pos = len(m.frames) - 1
			m.show(m.frames[m.pos], msg.state)
		}
		return m, m.next
	case pastMsg:
		m.insert(m.register.frame(msg.state))
		close(msg.taken)
	case overMsg:
		m.over, m.err = true, msg.err
	case saidMsg:
		m.said = string(msg)
	case loadedMsg:
		m.asked = nil
		switch {
		case m.shown() != msg.frame:
			return m, m.ask()
		case msg.err != nil:
			m.said = msg.err.Error()
		default:
			m.show(msg.frame, msg.state)
		}
	case detailMsg:
		if m.level == atDetail && msg.address == m.address {
			m.detail = lines(msg.text)
			if msg.err != nil {
				m.said = msg.err.Error()
			}
		}
	}
	return m, nil
}

// begin skips the list of processes if there is only one: it shows the rows of that.
func (m *model) begin(f *frame) {
	if len(f.procs) == 1 {
		for pid := range f.procs {
			m.pid, m.level = pid, atRows
		}
	}
}

// mostFrames is how many frames are kept. When there are more, every second one of the older half is dropped.
const mostFrames = 1200

// insert inserts a frame in order of time. It replaces one of the same moment.
func (m *model) insert(f *frame) {
	shown, base := m.shown(), m.frameAt(m.base)
	i, same := slices.BinarySearchFunc(m.frames, f, func(a, b *frame) int {
		switch {
		case a.t != b.t:
			return int(max(min(a.t-b.t, 1), -1))
		case a.end != b.end && a.end:
			return 1
		case a.end != b.end:
			return -1
		}
		return int(int64(a.seq) - int64(b.seq))
	})
	if same { // what is looked at stays it
		for _, at := range []**frame{&shown, &base, &m.stateOf} {
			if *at == m.frames[i] {
				*at = f
			}
		}
		m.frames[i] = f
	} else {
		m.frames = slices.Insert(m.frames, i, f)
	}
	if len(m.frames) > mostFrames {
		kept := m.frames[:0]
		for j, x := range m.frames {
			if j%2 == 0 || j > mostFrames/2 || x == shown || x == base {
				kept = append(kept, x)
			}
		}
		m.frames = kept
	}
	// The frames that are looked at may have moved. Growth counts from the first unless another was marked.
	m.pos = max(slices.Index(m.frames, shown), 0)
	if m.base != 0 {
		m.base = max(slices.Index(m.frames, base), 0)
	}
}

func (m *model) frameAt(i int) *frame {
	if i < 0 || i >= len(m.frames) {
		return nil
	}
	return m.frames[i]
}

// shown is the frame that is shown, nil before the first.
func (m *model) shown() *frame { return m.frameAt(m.pos) }

// show takes the state of the frame that is shown.
func (m *model) show(f *frame, s *analysis.State) {
	m.state, m.stateOf = s, f
	clear(m.reports)
}

// ask reads the state of the frame that is shown, if that is needed.
func (m *model) ask() tea.Cmd {
	f := m.shown()
	if f == nil || f == m.stateOf || m.asked != nil {
		return nil
	}
	if f == m.frames[len(m.frames)-1] && m.newest != nil {
		m.show(f, m.newest)
		return nil
	}
	m.state, m.stateOf = nil, nil
	m.asked = f
	return func() tea.Msg {
		s, err := m.source.Load(f.moment())
		return loadedMsg{f, s, err}
	}
}

// moment returns the moment of the log at which f was made.
func (f *frame) moment() analysis.Moment {
	switch {
	case f.end:
		return analysis.Moment{}
	case f.seq > 0:
		return analysis.Moment{Kind: analysis.AtSeq, Seq: f.seq}
	}
	return analysis.Moment{Kind: analysis.AtStart}
}

// askDetail reads what is known of the mapping that is shown.
func (m *model) askDetail() tea.Cmd {
	f := m.shown()
	if m.level != atDetail || f == nil {
		return nil
	}
	at, pid, address, l := f.moment(), m.pid, m.address, text.Style{Width: max(m.width, 40), Color: m.look.Color, Words: m.look.Words}
	if m.live && !m.over {
		at = analysis.Moment{}
	}
	return func() tea.Msg {
		t, err := m.source.Detail(at, pid, address, l)
		return detailMsg{address, t, err}
	}
}

// report returns the report of the state that is shown, nil if there is none.
func (m *model) report() *analysis.Report {
	if m.state == nil {
		return nil
	}
	by := bys[m.by]
	if m.reports[by] == nil {
		m.reports[by] = m.state.Report(analysis.ReportOptions{By: by})
	}
	return m.reports[by]
}

// clock formats how long the recording had run at a frame.
func clock(ns int64) string {
	d := time.Duration(ns)
	if d < time.Minute {
		return text.Seconds(ns)
	}
	return d.Truncate(time.Second).String()
}
