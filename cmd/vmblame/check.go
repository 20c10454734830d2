package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/text"
)

// maxProblems is how many problems of a log are printed; the rest is counted.
const maxProblems = 50

func checkCommand() *cobra.Command {
	var a answer
	cmd := &cobra.Command{
		Use:   "check LOG",
		Short: "Replay a log and prove it consistent",
		Long: `Replays LOG and prints everything in it that cannot be true: an order that is broken, a change
that found what is not there, a snapshot that differs from the ledger, counts that are wrong, a log
that is cut. Exit status 0 means that there is nothing.`,
		Args:              exactly("LOG"),
		ValidArgsFunction: completeLogs(1),
		RunE: func(cmd *cobra.Command, args []string) (failure error) {
			log := args[0]
			file, err := openWholeLog(cmd, log)
			if err != nil {
				return err
			}
			defer file.close()
			r, err := file.open()
			if err != nil {
				return file.failed(cmd, err)
			}
			defer r.Close()
			n, cut := 0, false
			out, l := cmd.OutOrStdout(), a.look(cmd, "")
			tell := func(format string, args ...any) {
				line := log + ": " + l.Say(format, args...)
				if width := l.Lines(); width > 0 && text.Width(line) > width {
					line = text.Fold(line, width, "  ")
				}
				fmt.Fprintln(out, line)
			}
			found := verdictJSON{Log: log, Problems: []problemJSON{}}
			if a.json {
				out = io.Discard
				defer func() {
					found.Consistent, found.Lines = n == 0 && err == nil, r.Line()
					if e := a.print(cmd, nil, func() any { return found }); e != nil && failure == nil {
						failure = e
					}
				}()
			}
			err = r.Check(func(p eventlog.Problem) {
				cut = cut || p.Cut
				if n++; n <= maxProblems {
					found.Problems = append(found.Problems, problemJSON{p.Line, p.Text})
					file.bar.erase()
					tell("%s", text.Printable(p.String()))
				}
			})
			file.bar.end()
			switch {
			case err != nil:
				return file.failed(cmd, err)
			case n > maxProblems:
				tell("and %d more", n-maxProblems)
			}
			if cut && n == 1 {
				return failed("check %s: %w: what stands before the cut is consistent", log, eventlog.ErrCut)
			}
			if n > 0 {
				return failed("check %s: the log contradicts itself: %s", log, l.Count(n, "problem", "problems"))
			}
			tell("consistent, %d lines", r.Line())
			if g := r.Header().Segment; g != nil {
				tell("%s", missing(log, g))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&a.wide, "wide", false, "a line for each problem, as wide as it is")
	cmd.Flags().BoolVar(&a.json, "json", false, "answer in JSON")
	return cmd
}

// verdictJSON is the answer of check for programs; it lists the first maxProblems problems.
type verdictJSON struct {
	Log        string        `json:"log"`
	Consistent bool          `json:"consistent"`
	Lines      int           `json:"lines"`
	Problems   []problemJSON `json:"problems"`
}

type problemJSON struct {
	Line int    `json:"line"`
	Text string `json:"text"`
}

// cause removes the log's name from err, because the message has it already.
func cause(err error, log string) error {
	var p *fs.PathError
	if errors.As(err, &p) && p.Path == log {
		return p.Err
	}
	if text, ok := strings.CutPrefix(err.Error(), log+": "); ok {
		return errors.New(text)
	}
	return err
}
