// Command vmblame is `git blame` for a process's virtual address space: for every mapped page, who mapped
// it, when, through which call stack, and what stood there before. It reads the command line and starts
// the parts; it does no work of its own.
package main

import (
	"os"
	"runtime"

	"github.com/spf13/cobra"
)

// version is set by the linker (Makefile).
var version = "dev"

// ptrace belongs to a thread. The main goroutine keeps the process's first one, so that TracerPid in
// /proc/PID/status is vmblame's pid.
func init() { runtime.LockOSThread() }

func main() {
	if os.Args[0] == namerName {
		os.Exit(nameRest())
	}
	os.Exit(execute(rootCommand(), os.Args[1:], os.Stderr))
}

// subcommands lists every command; each has a file of its own.
func subcommands() []*cobra.Command {
	return append([]*cobra.Command{
		runCommand(),
		attachCommand(),
		mapCommand(),
		watchCommand(),
		reportCommand(),
		blameCommand(),
		historyCommand(),
		failedCommand(),
		growthCommand(),
		diffCommand(),
		htmlCommand(),
		serveCommand(),
		exportCommand(),
		symbolizeCommand(),
		checkCommand(),
		versionCommand(),
	}, packagers()...)
}
