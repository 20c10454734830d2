package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/naming"
	"github.com/vmblame/vmblame/internal/text"
)

func symbolizeCommand() *cobra.Command {
	var (
		out   string
		debug naming.DebugFiles
		a     answer
	)
	cmd := &cobra.Command{
		Use:   "symbolize [flags] LOG",
		Short: "Name the frames of a log recorded elsewhere, or before debug symbols were installed",
		Long: `Names the frames of LOG by the files and debug files of this machine that are of the very builds that
ran, and says for each what it found and what would give more. The names are added to LOG, which is
replaced as a whole, or with -o written to another log. A name that LOG has gives way only to one that
tells more.`,
		Args:              exactly("LOG"),
		ValidArgsFunction: completeLogs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("output") && out == "" {
				return misused(cmd, "-o: an empty file name")
			}
			if err := checkDebugFlags(cmd, &debug); err != nil {
				return err
			}
			return symbolizeLog(cmd, args[0], out, &debug, func(n *naming.Log) error {
				if a.json {
					return a.print(cmd, nil, func() any { return n.Answer(args[0]) })
				}
				n.Text(cmd.OutOrStdout(), text.Style{Words: language(cmd)})
				return nil
			})
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVarP(&out, "output", "o", "", "write the log with its names to `FILE` and leave LOG as it is")
	debugFlags(cmd, &debug)
	cmd.Flags().BoolVar(&a.json, "json", false, "answer in JSON")
	return cmd
}

// symbolizeLog finds names for the frames of a log and writes them to the log, or to file out if that is not "". tell
// prints what was found.
func symbolizeLog(cmd *cobra.Command, log, out string, debug *naming.DebugFiles, tell func(*naming.Log) error) error {
	if st, err := os.Stat(log); err == nil && !st.Mode().IsRegular() && !st.IsDir() {
		return failed("symbolize %s: not a regular file, and the log is read twice: copy it to one first", log)
	}
	if out != "" { // naming may take a minute
		if _, err := os.Stat(filepath.Dir(out)); err != nil {
			return failed("symbolize %s: write %s: %w", log, out, unwritten(out, err))
		}
	}
	file, err := openWholeLog(cmd, log)
	if err != nil {
		return err
	}
	defer file.close()
	n, cut, err := readNames(file, debug)
	if err != nil {
		return file.failed(cmd, err)
	}
	file.bar.erase()
	var named *bar
	n.Resolve(func(module string, done, all int) {
		if named == nil {
			named = newBar(cmd.Context(), cmd.ErrOrStderr(), "", int64(all))
		}
		named.turn(filepath.Base(module), int64(done))
	})
	named.end()
	if err := tell(n); err != nil {
		return err
	}
	switch {
	case out == "" && len(n.Fresh) == 0:
		return nil
	case out == "" && cut:
		// Its recorder may still be writing, and would go on writing to the file that is replaced.
		return failed("symbolize %s: %w, or still written to: name another file with -o", log, eventlog.ErrCut)
	case out == "":
		err = replaceLog(file, n)
		out = log
	default:
		err = unwritten(out, writeLog(file, out, n))
	}
	file.bar.end()
	if err != nil {
		return failed("symbolize %s: write %s: %w", log, out, cause(err, log))
	}
	if cut {
		note(cmd, "symbolize %s: %v: what stands before the cut was written", log, eventlog.ErrCut)
	}
	return nil
}

// readNames reads the addresses of a log, and the names that it has.
func readNames(file *logFile, debug *naming.DebugFiles) (n *naming.Log, cut bool, err error) {
	r, err := file.open()
	if err != nil {
		return nil, false, err
	}
	defer r.Close()
	return naming.ReadLog(r, debug)
}

// writeLog writes the log with its names to another file.
func writeLog(file *logFile, out string, n *naming.Log) error {
	a, errA := file.file.Stat()
	b, errB := os.Stat(out)
	if errA == nil && errB == nil && os.SameFile(a, b) {
		return errors.New("that is the log itself: leave -o out to replace it")
	}
	w, err := eventlog.Create(out)
	if err != nil {
		return err
	}
	return finishLog(file, w, n)
}

// replaceLog replaces the log by one with its names, completely or not at all.
func replaceLog(file *logFile, n *naming.Log) error {
	path, err := filepath.EvalSymlinks(file.name)
	if err != nil {
		return err
	}
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("%w: name another file with -o", err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := f.Chmod(st.Mode().Perm()); err != nil {
		return err
	}
	keepOwner(f, st)
	if err := finishLog(file, eventlog.NewWriter(f, strings.HasSuffix(path, ".zst")), n); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// finishLog copies the log and its new names to w, which it closes.
func finishLog(file *logFile, w *eventlog.Writer, n *naming.Log) error {
	r, err := file.open()
	if err == nil {
		err = eventlog.Rewrite(r, w, n.Replaced, n.Fresh)
		r.Close()
	}
	if e := w.Close(); e != nil {
		return e
	}
	if errors.Is(err, eventlog.ErrCut) {
		return nil
	}
	return err
}

// keepOwner gives f the owner of the file that it replaces, if that is permitted.
func keepOwner(f *os.File, old os.FileInfo) {
	if sys, ok := old.Sys().(*syscall.Stat_t); ok {
		_ = f.Chown(int(sys.Uid), int(sys.Gid))
	}
}
