package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/watch"
)

func watchCommand() *cobra.Command {
	var output string
	var byMap bool
	cmd := &cobra.Command{
		Use:   "watch [flags] PID|NAME|LOG",
		Short: "Watch who holds the address space, in the terminal",
		Long: `Shows, in the manner of htop, who holds the address space of a process while it runs, and of its children: attaches to
it as vmblame attach does; q detaches and leaves it as it was. Where that is not allowed, or with --map, it looks at the
memory again and again as vmblame map does.

Of a LOG it shows every moment from its beginning to its end; one that is still being written is followed.`,
		Args: exactly("PID|NAME|LOG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, _, ok := terminal(os.Stdout); !ok {
				return misused(cmd, "standard output is not a terminal: vmblame report and map need none")
			}
			style := look(cmd, os.Stdout)
			source, end, err := sourceOf(cmd, args[0], output, byMap)
			if err != nil {
				return err
			}
			err = watch.Run(source, style, saveReport)
			if words := end(); words != "" {
				note(cmd, "watch: %s", words)
			}
			if err != nil {
				return failed("watch: %w", err)
			}
			return nil
		},
	}
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		logs, how := completeLogs(1)(cmd, args, begun)
		if len(args) > 0 {
			return nil, how
		}
		processes, _ := completeProcesses(cmd, args, begun)
		return append(processes, logs...), how
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVarP(&output, "output", "o", "", "keep the log of what is attached to in `FILE`")
	f.BoolVar(&byMap, "map", false, "do not attach: look at the memory as map does")
	return cmd
}

// sourceOf returns what word names as the source of a view: a log, or a process. The caller must call end, which
// releases it and returns a last message, "" for none.
func sourceOf(cmd *cobra.Command, word, output string, byMap bool) (s watch.Source, end func() string, err error) {
	if st, err := os.Stat(word); err == nil && st.Mode().IsRegular() {
		if output != "" || byMap {
			return nil, nil, misused(cmd, "%s is a log: --output and --map are for processes", word)
		}
		return &logSource{name: word, file: word, written: func() bool { return isWritten(word) }}, func() string { return "" }, nil
	}
	pid, err := processOf(cmd, word)
	if err != nil {
		return nil, nil, err
	}
	if !byMap {
		if s, end, err = recordingOf(pid, output); err == nil {
			return s, end, nil
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "%v\nvmblame: watch: watching by map\n", err)
	}
	m := &mapSource{pid: pid, start: time.Now()}
	if m.first, err = m.look(); err != nil {
		return nil, nil, failed("watch %s: %w", word, err)
	}
	return m, func() string { return "" }, nil
}

// saveReport writes a report, as `report --json` does, to a new file.
func saveReport(r *analysis.Report) (string, error) {
	pid := 0
	if len(r.Processes) > 0 {
		pid = r.Processes[0].PID
	}
	for i := 1; ; i++ {
		name := fmt.Sprintf("vmblame.watch.%d.%d.json", pid, i)
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		e := json.NewEncoder(f)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err = e.Encode(r); err == nil {
			err = f.Close()
		}
		return name, err
	}
}

// recordingOf starts `vmblame attach` on a process and returns its log as the source of a view. If the recording cannot
// begin, the error is what it printed.
func recordingOf(pid int, output string) (watch.Source, func() string, error) {
	dir := ""
	log := output
	if output == "" {
		var err error
		if dir, err = os.MkdirTemp("", "vmblame-watch-"); err != nil {
			return nil, nil, err
		}
		log = filepath.Join(dir, "log.jsonl")
	}
	said := &bytes.Buffer{}
	cmd := exec.Command("/proc/self/exe", "attach", "-q", "-o", log, strconv.Itoa(pid))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, nil, said
	// It has its own group, lest Ctrl-C on the terminal reach it before us, and detaches when we are no more. The
	// signal comes at the end of the thread that starts it, which is the process's first.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGINT}
	if err := cmd.Start(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, nil, err
	}
	over := make(chan error, 1)
	go func() {
		over <- cmd.Wait()
		close(over)
	}()
	ended := func() bool { return len(over) > 0 }
	end := func() string {
		_ = cmd.Process.Signal(syscall.SIGINT)
		err := <-over
		if dir != "" {
			_ = os.RemoveAll(dir)
		}
		if err != nil {
			return strings.TrimSpace(said.String())
		}
		return ""
	}
	for !hasSpace(log) {
		if ended() {
			if words := end(); words != "" {
				return nil, nil, errors.New(words)
			}
			return nil, nil, fmt.Errorf("vmblame: attach %d: it has ended", pid)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return &logSource{name: strconv.Itoa(pid), file: log, written: func() bool { return !ended() }, measured: true}, end, nil
}

// hasSpace reports whether a log tells of an address space already.
func hasSpace(log string) bool {
	s, err := analysis.Load(opens(log), analysis.Moment{}, nil)
	return err == nil && len(s.Report(analysis.ReportOptions{}).Processes) > 0
}

// isWritten reports whether a recording holds its lock on a log.
func isWritten(log string) bool {
	f, err := os.Open(log)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}
