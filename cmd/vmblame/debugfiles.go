package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/symbolize"
)

// debugFiles is where debug symbols are looked for, as the flags of several commands say.
type debugFiles struct {
	dirs   []string
	server string
}

func (d *debugFiles) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&d.dirs, "debug-dir", nil, "look for debug files in `DIR` before "+elffile.DefaultDebugDir+` (an empty one: not there)`)
	f.StringVar(&d.server, "debuginfod", "", "ask debuginfod servers for debug files: those of DEBUGINFOD_URLS, or `URL` (off: none)")
	f.Lookup("debuginfod").NoOptDefVal = "on"
}

// directories lists them in order: those of the flags, then the one of the distribution, unless an empty
// one stands among them.
func (d *debugFiles) directories() []string {
	var dirs []string
	common := true
	for _, dir := range d.dirs {
		if dir == "" {
			common = false
			continue
		}
		dirs = append(dirs, dir)
	}
	switch {
	case common:
		dirs = append(dirs, elffile.DefaultDebugDir)
	case len(dirs) == 0:
		dirs = []string{os.DevNull} // no directory at all would mean the common one
	}
	return dirs
}

// servers lists the debuginfod servers to ask: none, unless the flag or DEBUGINFOD_URLS says so.
func (d *debugFiles) servers() []string {
	env := os.Getenv("DEBUGINFOD_URLS")
	switch d.server {
	case "":
		return symbolize.DebuginfodURLs(env)
	case "off":
		return nil
	case "on":
		return symbolize.ConfiguredDebuginfod(env)
	}
	return symbolize.DebuginfodURLs(d.server)
}

// check says what is wrong with the flags.
func (d *debugFiles) check(cmd *cobra.Command) error {
	switch d.server {
	case "", "on", "off":
		return nil
	}
	if len(symbolize.DebuginfodURLs(d.server)) == 0 {
		return misused(cmd, "--debuginfod=%s: not a URL", d.server)
	}
	return nil
}
