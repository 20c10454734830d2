package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/naming"
	"github.com/vmblame/vmblame/internal/record"
	"github.com/vmblame/vmblame/internal/report"
	"github.com/vmblame/vmblame/internal/spool"
	"github.com/vmblame/vmblame/internal/text"
)

// recording is what run and attach have in common: their flags, and the sinks of the records.
type recording struct {
	options record.Options
	out     string
	live    bool
	quiet   bool
	bound   sizeValue // --until-vsz, 0 for none
	limit   sizeValue // --log-limit, 0 for none
	json    bool
	debug   naming.DebugFiles
	limits  limits // of run
	junit   string // of run: the file

	log     *logSink
	summary *summary     // nil for none
	stderr  *spool.Spool // never blocks, even if a terminal or a pipe does
	style   text.Style   // of standard error
}

// leastInterval is the least time between regular snapshots.
const leastInterval = 10 * time.Millisecond

// textWaiting bounds the bytes of text that wait for standard error.
const textWaiting = 1 << 20

// flags adds the flags of both commands.
func (r *recording) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVarP(&r.out, "output", "o", "", "write the log to `FILE` (default vmblame.PID.jsonl; a name ending in .zst is compressed)")
	f.Var(&r.limit, "log-limit", "keep the log within `SIZE` (100M, 2G): in segments, of which the oldest are removed")
	f.BoolVar(&r.live, "live", false, "print every event with its stack to standard error as it happens")
	f.BoolVar(&r.options.NoStacks, "no-stacks", false, "record no call stacks")
	f.IntVar(&r.options.MaxFrames, "max-frames", 256, "record at most `N` frames of a stack: of a deeper one both ends")
	f.Var((*verify)(&r.options.Verify), "verify", "compare the ledger with the kernel's view: off, end or each")
	f.BoolVar(&r.options.NoFollow, "no-follow", false, "do not record child processes")
	f.StringVar(&r.options.Backend, "backend", "auto", "how calls are made to stop, a `WORD`: auto, sigtrap, seccomp or syscall (vmblame version --json says which work)")
	debugFlags(cmd, &r.debug)
	f.Var(&r.bound, "until-vsz", "show the call and stack that make the virtual size larger than `SIZE` (100M)")
	f.DurationVar(&r.options.SnapshotEvery, "snapshot-every", 0, "record what is in memory every `D` (10s); less often where that takes more than a hundredth of the time")
	f.BoolVar(&r.options.Advice, "advice", false, "record the calls of madvise(2) that give memory back or ask for it (MADV_DONTNEED, FREE, PAGEOUT, POPULATE …), and how much that was; each is stopped, as mapping calls are")
	f.BoolVar(&r.json, "json", false, "the summary at the end as one line of JSON")
	f.BoolVarP(&r.quiet, "quiet", "q", false, "no summary and no notes on standard error")
}

// check returns an error if the flags, or their combination, are invalid.
func (r *recording) check(cmd *cobra.Command) error {
	r.style = look(cmd, os.Stderr)
	if r.options.MaxFrames < 1 {
		return misused(cmd, "--max-frames %d: at least 1", r.options.MaxFrames)
	}
	if cmd.Flags().Changed("output") && r.out == "" {
		return misused(cmd, "-o: an empty file name")
	}
	if cmd.Flags().Changed("log-limit") && r.limit < leastLimit {
		return misused(cmd, "--log-limit %d: at least 4M", r.limit)
	}
	if cmd.Flags().Changed("snapshot-every") && r.options.SnapshotEvery < leastInterval {
		return misused(cmd, "--snapshot-every %v: at least %v", r.options.SnapshotEvery, leastInterval)
	}
	switch r.options.Backend {
	case "auto", "sigtrap", "seccomp", "syscall":
	default:
		return misused(cmd, "--backend %s: unknown: auto, sigtrap, seccomp or syscall", r.options.Backend)
	}
	return checkDebugFlags(cmd, &r.debug)
}

// prepare fills what the pipeline asks of its caller.
func (r *recording) prepare() {
	r.options.Tool = "vmblame " + version
	r.options.Open = r.open
	r.options.NamesWithin = r.howLong
	r.options.Names = r.live || r.bound > 0 || r.limit > 0 // a segment that has ended gets no more names
	r.options.Bound = int64(r.bound)
	r.options.DebugDirs, r.options.Debuginfod = r.debug.Directories(), r.debug.Servers()
	r.stderr = spool.New(os.Stderr, textWaiting)
	r.options.Warn = r.notes()
	if r.quiet {
		r.options.Warn = nil
	}
	// A reader of standard error that goes away must not take the recording with it. Notify rather than
	// Ignore: the program would inherit an ignored signal.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
}

// notes returns the writer for vmblame's own lines on standard error, where the program's output may appear too.
func (r *recording) notes() *lines {
	notes := &lines{w: r.stderr, style: r.style}
	_, _, onTerminal := terminal(os.Stderr)
	if onTerminal || os.Getenv("COLUMNS") != "" {
		notes.width = r.style.Width
	}
	if onTerminal && len(r.options.PIDs) > 0 {
		notes.before = clearLine
	}
	return notes
}

// open makes the sinks, the log first. It is called before the program starts or a target is touched.
func (r *recording) open(pid int) ([]eventlog.Sink, error) {
	log, err := openLog(r.out, pid, int64(r.limit), r.notes())
	if err != nil {
		var p *fs.PathError
		if errors.As(err, &p) {
			return nil, fmt.Errorf("open the log %s: %w", p.Path, unwritten(p.Path, err))
		}
		return nil, err
	}
	name := log.name
	r.log = log
	sinks := []eventlog.Sink{log}
	if r.live {
		sinks = append(sinks, report.NewLive(r.stderr.Talk(), r.liveStyle()))
	}
	if r.bound > 0 {
		sinks = append(sinks, report.NewBound(r.stderr, int64(r.bound), r.style))
	}
	if _, _, seen := terminal(os.Stderr); seen && !r.quiet && !r.live && len(r.options.PIDs) > 0 {
		sinks = append(sinks, newStatus(r.stderr.Talk(), r.style))
	}
	if !r.quiet || r.limits.any() || os.Getenv("GITHUB_STEP_SUMMARY") != "" {
		sum := &summary{Recording: analysis.NewRecording(name), w: r.stderr, notes: r.notes(), json: r.json, log: name, quiet: r.quiet}
		sum.style = r.style
		if log.regular {
			sum.style.Log = quote(name)
		}
		r.summary = sum
		sinks = append(sinks, sum)
	}
	return sinks, nil
}

// liveStyle is the style of events printed as they happen: as wide as the terminal; if there is none, lines are not
// shortened.
func (r *recording) liveStyle() text.Style {
	width, _, on := terminal(os.Stderr)
	return text.Style{Width: width, Whole: !on, Words: r.style.Words}
}

// close ends the log and what is said on standard error, and waits for neither longer than they take something.
// rest is what has no name in the log, nil for nothing. It reports whether the log took everything.
func (r *recording) close(rest *naming.Rest) bool {
	whole := true
	if r.log != nil {
		r.log.namesLater = rest != nil
		whole = r.log.close()
	}
	if rest != nil && r.log.unfinished != nil && nameLater(rest, r.log.unfinished) && r.summary != nil {
		r.summary.nameless = true
	}
	r.summary.write()
	r.stderr.Close(patience)
	return whole
}

// quote quotes name, if necessary, so that a shell takes it as one word.
func quote(name string) string {
	plain := strings.IndexFunc(name, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("-_./+:@%,=", c))
	}) < 0
	if plain && name != "" {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}

// lines puts vmblame's name before every line. Each Write must be one or more whole lines, or one line without its
// newline.
type lines struct {
	w      io.Writer
	before string // the control sequence that erases a status on the line
	width  int    // of the terminal, 0 to leave lines whole
	style  text.Style
}

func (l *lines) Write(p []byte) (int, error) {
	whole := toldLines(text.PrintableLines(strings.TrimRight(string(p), "\n")), l.style)
	if l.width > 0 {
		var folded []string
		for line := range strings.SplitSeq(whole, "\n") {
			folded = append(folded, text.Fold(line, l.width-len("vmblame: "), "  "))
		}
		whole = strings.Join(folded, "\n")
	}
	text := strings.ReplaceAll(whole, "\n", "\nvmblame: ")
	if _, err := io.WriteString(l.w, l.before+"vmblame: "+text+"\n"); err != nil {
		return 0, err
	}
	return len(p), nil
}

// toldLines translates finished lines into the language of l.
func toldLines(s string, l text.Style) string {
	if l.Words == nil {
		return s
	}
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = l.Told(lines[i])
	}
	return strings.Join(lines, "\n")
}

// verify is the value of --verify.
type verify record.Verify

func (v *verify) String() string {
	switch record.Verify(*v) {
	case record.VerifyEach:
		return "each"
	case record.VerifyOff:
		return "off"
	}
	return "end"
}

func (v *verify) Set(s string) error {
	switch s {
	case "off":
		*v = verify(record.VerifyOff)
	case "end":
		*v = verify(record.VerifyEnd)
	case "each":
		*v = verify(record.VerifyEach)
	default:
		return errors.New("must be off, end or each")
	}
	return nil
}

func (v *verify) Type() string { return "WHEN" }
