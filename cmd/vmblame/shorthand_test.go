package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/procfs"
)

// TestSpelled: a command's name wins; then a pid, a program's path, and the name of a process that runs.
func TestSpelled(t *testing.T) {
	root := rootCommand()
	own := procfs.Comm(os.Getpid())
	for typed, want := range map[string]string{
		"4711":                       "map 4711",
		"4711 --json":                "map 4711 --json",
		"./server -c x":              "run -- ./server -c x",
		"/bin/report":                "run -- /bin/report",
		"report LOG":                 "report LOG",
		"help run":                   "help run",
		"completion bash":            "completion bash",
		"__complete re":              "__complete re",
		"--version":                  "--version",
		"-5":                         "-5",
		"0":                          "0",
		"no-program-has-this-name x": "no-program-has-this-name", // what may be flags of it are none of ours
		own:                          "map " + own,
		"":                           "",
	} {
		if got := spelled(root, strings.Fields(typed)); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%q is spelled %q, want %q", typed, got, want)
		}
	}
}
