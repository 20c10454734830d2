package main

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/html"
)

func htmlCommand() *cobra.Command {
	var a answer
	var out string
	cmd := &cobra.Command{
		Use:   "html [flags] LOG [LOG2]",
		Short: "Draw pictures of a log, or of two beside each other, into one HTML file",
		Long: `Writes one HTML file that a browser opens without a network: addresses, usable and resident bytes over time by
kind, owner or file, with a scrubber; the address space over time; a flame graph of the bytes at the moment; a table of
the mappings; threads, growth, and calls that failed. Of two logs it has both, and what differs between them.

The file is called as LOG is, with .html; -o - is standard output.

Of two logs a moment may be given, LOG@end (the default), LOG@start, LOG@peak, LOG@1.5s or LOG@seq:123: that is what is
compared. The pictures go from start to end.`,
		Args:              between("LOG", "LOG2"),
		ValidArgsFunction: completeLogs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := readPictures(cmd, args, a.pids, html.Embedded(), (*logFile).close)
			if err != nil {
				return err
			}
			if a.json && out == "" {
				return a.print(cmd, nil, func() any { return p })
			}
			if out == "-" {
				w := bufio.NewWriter(cmd.OutOrStdout())
				err := html.Write(w, p)
				if e := w.Flush(); err == nil {
					err = e
				}
				if err != nil {
					return failed("html: write the page: %w", err)
				}
				return nil
			}
			if out == "" {
				name := strings.TrimSuffix(filepath.Base(p.Logs[0].Log), ".zst")
				out = strings.TrimSuffix(name, ".jsonl") + ".html"
			}
			if err := replaceFile(out, func(w io.Writer) error { return html.Write(w, p) }); err != nil {
				return failed("html: write %s: %w", out, err)
			}
			if a.json {
				return a.print(cmd, nil, func() any { return p })
			}
			_, err = io.WriteString(cmd.OutOrStdout(), out+"\n")
			return err
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVarP(&out, "output", "o", "", "write to `FILE` (- is standard output)")
	f.IntSliceVar(&a.pids, "pid", nil, "only the process with this `PID`")
	f.BoolVar(&a.json, "json", false, "print what the pictures are drawn from as one JSON document; with -o the page is written, too")
	return cmd
}

// readPictures reads one log, or two and what differs between them. It calls done with each log when it needs it no
// longer.
func readPictures(cmd *cobra.Command, args []string, pids []int, o html.Options, done func(*logFile)) (*html.Page, error) {
	p := &html.Page{Type: "pictures"}
	var compared []*analysis.State
	for _, arg := range args {
		log, err := openLogFile(cmd, arg)
		if err != nil {
			return nil, err
		}
		whole := log.at == analysis.Moment{}
		if len(args) == 1 && !whole {
			done(log)
			return nil, misused(cmd, "%s: the pictures of one log have all its moments", arg)
		}
		o.PIDs = pids
		v, state, err := html.Read(log.open, log.name, o)
		if err == nil && !whole {
			state, err = analysis.Load(log.open, log.at, pids)
		}
		done(log)
		if err != nil {
			return nil, log.failed(cmd, err)
		}
		log.warn(cmd, v.Cut)
		p.Logs = append(p.Logs, v)
		compared = append(compared, state)
	}
	if len(compared) == 2 {
		p.Diff = analysis.Compare(compared[0], compared[1], [2]string{args[0], args[1]})
	}
	return p, nil
}

// outputFile is a temporary file that will be renamed to name; its errors mention only that name.
type outputFile struct {
	file *os.File
	name string
}

// Write implements io.Writer.
func (f *outputFile) Write(p []byte) (int, error) {
	n, err := f.file.Write(p)
	return n, unwritten(f.name, err)
}

// replaceFile replaces the file called name as a whole: write writes a temporary file, readable by its owner only,
// which is then renamed. On failure an existing file is unchanged, and the error says what the user can do.
func replaceFile(name string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".vmblame-*")
	if err != nil {
		return unwritten(name, err)
	}
	defer os.Remove(f.Name()) // after the rename there is nothing of that name
	w := bufio.NewWriterSize(&outputFile{f, name}, 1<<16)
	if err = write(w); err == nil {
		err = w.Flush()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	return unwritten(name, err)
}
