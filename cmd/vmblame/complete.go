package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/procfs"
)

// completeProcesses offers the processes that run, with their names.
func completeProcesses(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	var list []string
	for _, pid := range procfs.Processes() {
		argv := procfs.Cmdline(pid)
		if pid == os.Getpid() || len(argv) == 0 {
			continue // a kernel thread has no memory of its own
		}
		name := procfs.Comm(pid)
		switch number := strconv.Itoa(pid); {
		case strings.HasPrefix(number, begun):
			list = append(list, number+"\t"+name+": "+strings.Join(argv, " "))
		case begun != "" && strings.HasPrefix(name, begun):
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return slices.Compact(list), cobra.ShellCompDirectiveNoFileComp
}

// completeLogs completes the names of logs, for up to most arguments, and moments after an @.
func completeLogs(most int) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		if log, _, ok := strings.Cut(begun, "@"); ok {
			var list []string
			for _, m := range []string{"start\tthe first whole state", "peak\twhere the most was mapped", "end\tthe default", "1.5s\ta time", "seq:1\tan event"} {
				list = append(list, log+"@"+m)
			}
			return list, cobra.ShellCompDirectiveNoFileComp
		}
		var list []string
		names, _ := filepath.Glob(quoteGlob(begun) + "*")
		for _, name := range names {
			if st, err := os.Stat(name); err == nil && st.Mode().IsRegular() && isLog(name) {
				list = append(list, name)
			}
		}
		if len(list) == 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return list, cobra.ShellCompDirectiveNoFileComp
	}
}

// quoteGlob escapes name so that filepath.Glob matches it literally.
func quoteGlob(name string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(name)
}

// isLog reports whether a file is a vmblame log.
func isLog(name string) bool {
	if !strings.HasSuffix(name, ".jsonl") && !strings.HasSuffix(name, ".zst") {
		return false
	}
	r, err := eventlog.Open(name)
	if err != nil {
		return false
	}
	r.Close()
	return true
}

// newestLog is the log with a default name in the working directory that was written to last, "" for none.
func newestLog() string { return newestOf("vmblame.*.jsonl", "vmblame.*.jsonl.zst") }

// newestLogIn is the log in a folder that was written to last, whatever its name, "" for none.
func newestLogIn(dir string) string {
	return newestOf(filepath.Join(quoteGlob(dir), "*.jsonl"), filepath.Join(quoteGlob(dir), "*.zst"))
}

func newestOf(globs ...string) string {
	newest, when := "", int64(0)
	for _, glob := range globs {
		names, _ := filepath.Glob(glob)
		for _, name := range names {
			if st, err := os.Stat(name); err == nil && st.Mode().IsRegular() && st.ModTime().UnixNano() > when && isLog(name) {
				newest, when = name, st.ModTime().UnixNano()
			}
		}
	}
	return newest
}

// orNewest checks the arguments of a command that takes one LOG. The argument may be missing if the working directory
// has a log with a default name; logArg then returns the newest of these.
func orNewest(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return exactly("LOG")(cmd, args)
	}
	if newestLog() == "" {
		return misused(cmd, "LOG is missing, and no vmblame.*.jsonl is here: vmblame run PROGRAM makes one")
	}
	return nil
}

// logArg is the log of a command that orNewest has checked.
func logArg(cmd *cobra.Command, args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	log := newestLog()
	note(cmd, "%s: no log named: the newest one here, %s", cmd.Name(), log)
	return log
}
