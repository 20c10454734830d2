package main

import (
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vmblame/vmblame/internal/procfs"
)

// spelled completes a command line without a command: a pid alone means map, a program with a "/" in its path means
// run, and the name of a running process means map, unless a program in PATH has that name. The names of commands take
// precedence.
func spelled(root *cobra.Command, args []string) []string {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") || isCommand(root, args[0]) {
		return args
	}
	if pid, err := strconv.Atoi(args[0]); err == nil && pid > 0 {
		return append([]string{"map"}, args...)
	}
	if strings.Contains(args[0], "/") {
		return append([]string{"run", "--"}, args...)
	}
	if _, err := exec.LookPath(args[0]); err != nil && len(processesNamed(args[0])) > 0 {
		return append([]string{"map"}, args...)
	}
	// What stands behind a word that is no command is not vmblame's, but for the language of what is said of it.
	rest := []string{args[0]}
	for i, a := range args {
		if a == "--lang" && i+1 < len(args) {
			rest = append(rest, a, args[i+1])
		} else if strings.HasPrefix(a, "--lang=") {
			rest = append(rest, a)
		}
	}
	return rest
}

// isCommand reports whether a word is a command, or one of cobra's own that stand beside ours.
func isCommand(root *cobra.Command, word string) bool {
	return strings.HasPrefix(word, "__") || word == "help" || slices.ContainsFunc(root.Commands(), func(c *cobra.Command) bool { return c.Name() == word || c.HasAlias(word) })
}

// processesNamed returns the pids of the processes with that name: as comm, or as the base name of argv[0].
func processesNamed(name string) (pids []int) {
	for _, pid := range procfs.Processes() {
		argv := procfs.Cmdline(pid)
		if procfs.Comm(pid) == name || len(argv) > 0 && argv[0][strings.LastIndexByte(argv[0], '/')+1:] == name {
			pids = append(pids, pid)
		}
	}
	return pids
}
