package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vmblame/vmblame/internal/spool"
	"github.com/vmblame/vmblame/internal/text"
)

// The exit statuses of spec: 0 done, 1 failed, 2 wrong usage; run has its own.
const (
	exitFailed        = 1
	exitUsage         = 2
	exitPassed        = 3 // a bound that was asked for
	exitRunFailed     = 125
	exitNotExecutable = 126
	exitNotFound      = 127
)

// An exit is the error with which a command ends: a status, and a text unless the status says all.
type exit struct {
	status int
	signal int // die of this signal instead, if it can be
	err    error
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

// failed returns the error of a command that could not do its work.
func failed(format string, args ...any) error {
	return &exit{status: exitFailed, err: fmt.Errorf(format, args...)}
}

// misused returns the error for wrong usage of cmd: the mistake and, in a second line, the usage.
func misused(cmd *cobra.Command, format string, args ...any) *exit {
	l := text.Style{Words: language(cmd)}
	for i, a := range args {
		if err, ok := a.(error); ok && l.Words != nil {
			args[i] = l.Told(err.Error())
		}
	}
	mistake := l.Say(format, args...)
	if cmd.HasParent() {
		mistake = cmd.Name() + ": " + mistake
	}
	return &exit{status: exitUsage, err: errors.New(mistake + "\n" + l.Say("usage: %s    (--help tells more)", cmd.UseLine()))}
}

// execute runs the command line args of root and returns vmblame's exit status. It does not return where
// vmblame is to die of the signal that killed the program.
func execute(root *cobra.Command, args []string, stderr io.Writer) (status int) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(stderr, "vmblame: internal error: %s: please report it\n", firstLine(fmt.Sprint(p)))
			status = exitRunFailed
		}
	}()
	args = spelled(root, args)
	if len(args) > 0 && strings.HasPrefix(args[0], "__") {
		speak(root, language(root)) // a shell asks what commands and flags say of themselves
	}
	root.SetArgs(args)
	err := root.Execute()
	if err == nil {
		return 0
	}
	var e *exit
	if !errors.As(err, &e) {
		// cobra's own: what no command has seen.
		e = misused(root, "%s", errors.New(firstLine(err.Error())))
	}
	if e.err != nil {
		say(stderr, folded("vmblame: "+toldLines(text.PrintableLines(e.err.Error()), text.Style{Words: language(root)}))+"\n")
	}
	if e.signal != 0 {
		dieOf(e.signal)
	}
	return e.status
}

// note prints a message on standard error, in the language of cmd.
func note(cmd *cobra.Command, format string, args ...any) {
	fmt.Fprintln(cmd.ErrOrStderr(), folded("vmblame: "+text.Style{Words: language(cmd)}.Told(fmt.Sprintf(format, args...))))
}

// folded folds lines for standard error to the width of a terminal. If there is no terminal, each message stays one
// line, as the log of a CI system shows it. Lines that begin with a blank are rows of a table, which fit already.
func folded(lines string) string {
	width, _, ok := terminal(os.Stderr)
	if !ok || width == 0 {
		return lines
	}
	list := strings.Split(lines, "\n")
	for i, line := range list {
		if text.Width(line) > width && !strings.HasPrefix(line, " ") {
			list[i] = text.Fold(line, width, "  ")
		}
	}
	return strings.Join(list, "\n")
}

// say writes a last message. If nobody reads standard error it gives up, so that vmblame, and with it the exit status
// of the program, is not delayed for ever.
func say(stderr io.Writer, words string) {
	s := spool.New(stderr, len(words))
	_, _ = io.WriteString(s, words)
	s.Close(patience)
}

// rootCommand returns vmblame with all its commands.
func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "vmblame COMMAND [flags] ...",
		Short: "git blame for a process's virtual address space",
		Long: `vmblame is "git blame" for a process's virtual address space: for every mapped page,
who mapped it, when, through which call stack, and what stood there before.`,
		Version:               version,
		SilenceErrors:         true,
		SilenceUsage:          true,
		DisableFlagsInUseLine: true,
		Args:                  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return misused(cmd, "no command given")
			}
			return unknownCommand(cmd, args[0])
		},
	}
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return flagMistake(cmd, err)
	})
	root.SetHelpCommand(helpCommand())
	for _, cmd := range subcommands() {
		cmd.DisableFlagsInUseLine = true
		root.AddCommand(cmd)
	}
	languageFlag(root)
	root.InitDefaultCompletionCmd()
	giveHelp(root)
	if cmd, _, err := root.Find([]string{"completion"}); err == nil {
		cmd.Use = "completion SHELL"
		cmd.Args = cobra.ArbitraryArgs
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return misused(cmd, "SHELL is missing")
			}
			return misused(cmd, "unknown shell %q", args[0])
		}
	}
	return root
}

// helpCommand is cobra's help command, except that an unknown command is an error.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about a command",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(args) > 0 && about == cmd.Root() {
				return unknownCommand(cmd.Root(), args[0])
			}
			if len(rest) > 0 {
				return misused(cmd, "%q: unknown topic", rest[0])
			}
			return about.Help()
		},
	}
}

func unknownCommand(root *cobra.Command, name string) error {
	root.SuggestionsMinimumDistance = 2
	hint := ""
	l := text.Style{Words: language(root)}
	log, _, _ := strings.Cut(name, "@")
	if isLog(name) || isLog(log) {
		hint = l.Say(": that is a log: vmblame report %s", quote(name))
	} else if _, err := os.Stat(name); err == nil {
		hint = l.Say(": to run the file of that name: vmblame ./%s", quote(name))
	} else if _, err := exec.LookPath(name); err == nil {
		hint = l.Say(": to run the program of that name: vmblame run %s", quote(name))
	}
	if like := nearest(name, root.SuggestionsFor(name)); len(like) > 0 {
		hint = l.Say(": did you mean %s?", strings.Join(like, l.Word(" or ")))
	}
	return misused(root, "unknown command %q%s", name, hint)
}

// nearest returns those of words that are spelled most like word.
func nearest(word string, words []string) (list []string) {
	best := len(word) + 1
	for _, w := range words {
		n := distance(word, w)
		if n < best {
			list, best = nil, n
		}
		if n == best {
			list = append(list, w)
		}
	}
	return list
}

// flagMistake returns the error for a wrong flag, with a suggestion: a flag with a similar name, or the one that does
// what the user may have meant.
func flagMistake(cmd *cobra.Command, err error) error {
	line := firstLine(err.Error())
	// "-5" is meant as a number, not as a flag.
	if _, word, ok := strings.Cut(line, " in -"); ok && word != "" && '0' <= word[0] && word[0] <= '9' && strings.Contains(cmd.Use, "PID") {
		return misused(cmd, "-%s: not a pid", word)
	}
	if before, _, ok := strings.Cut(line, "strconv."); ok && errors.Is(err, strconv.ErrRange) {
		line = before + "too large a number"
	}
	for _, says := range [...]struct{ theirs, ours string }{
		{"strconv.ParseBool", "true or false"}, {"strconv.", "not a number"},
		{"time: missing unit", "not a duration: 500ms, 10s, 1h"}, {"time: invalid", "not a duration: 500ms, 10s, 1h"}, {"time: unknown unit", "not a duration: 500ms, 10s, 1h"},
	} {
		if before, _, ok := strings.Cut(line, says.theirs); ok {
			line = before + says.ours
			break
		}
	}
	pid := "a process is named without a flag: vmblame " + cmd.Name() + " PID"
	elsewhere := map[string]string{
		"p": pid, "f": "children and threads are followed anyway", "k": "stacks are recorded anyway",
		"e": "all mapping calls are recorded; --live prints them", "c": "vmblame report counts", "d": "--chdir DIR starts the program there", "o": "a shell writes it: > FILE",
		"follow": "children are followed unless --no-follow is given", "pid": pid,
	}
	if cmd.Flags().Lookup("chdir") == nil {
		delete(elsewhere, "d")
	}
	if cmd.Flags().Lookup("duration") != nil {
		elsewhere["d"] = "did you mean --duration?"
	}
	if word, ok := strings.CutPrefix(line, "unknown flag: --"); ok {
		like := ""
		best := len(word)/2 + 1
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			n := distance(word, f.Name)
			if strings.HasPrefix(f.Name, word) {
				n = 0 // the beginning of it
			}
			if !f.Hidden && n < best {
				like, best = f.Name, n
			}
		})
		switch about := elsewhere[word]; {
		case about != "":
			line += ": " + about
		case like != "":
			line += ": did you mean --" + like + "?"
		}
	} else if _, rest, ok := strings.Cut(line, "unknown shorthand flag: '"); ok && rest != "" {
		if about := elsewhere[rest[:1]]; about != "" {
			line += ": " + about
		}
	}
	return misused(cmd, "%s", errors.New(line))
}

// distance returns the Levenshtein distance: how many letters must be changed, added or removed to turn a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			n := before
			if a[i] != b[j] {
				n++
			}
			before = row[j+1]
			row[j+1] = min(n, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// exactly returns a check of the number of arguments; names are those of the usage line.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return misused(cmd, "%s is missing", names[len(args)])
		case len(args) > len(names):
			if more := args[len(names)]; strings.HasPrefix(more, "@") {
				return misused(cmd, "unexpected argument %q: a moment follows the name at once: %s", more, args[len(names)-1]+more)
			}
			if slices.Equal(names, []string{"LOG"}) && isLog(args[1]) {
				return misused(cmd, "unexpected argument %q: one log; vmblame diff tells what differs between two", args[1])
			}
			return misused(cmd, "unexpected argument %q", args[len(names)])
		}
		return nil
	}
}

// between returns a check of the arguments called names: the first is required, the last ones may be missing.
func between(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		return exactly(names[:min(max(len(args), 1), len(names))]...)(cmd, args)
	}
}

// firstLine returns the first line of s: errors of libraries may go on for many lines.
func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
