package naming

import (
	"fmt"
	"os"

	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/symbolize"
)

// DebugFiles is where debug symbols are looked for.
type DebugFiles struct {
	// Dirs come before the distribution's directory; an empty one says that this is not looked at.
	Dirs []string
	// Server is a URL, "on" for those of DEBUGINFOD_URLS and of the system's configuration, "off" for none, "" for
	// those of DEBUGINFOD_URLS.
	Server string
}

// Directories lists the directories in order: Dirs, then the one of the distribution, unless an empty
// one stands among them.
func (d *DebugFiles) Directories() []string {
	var dirs []string
	common := true
	for _, dir := range d.Dirs {
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
		dirs = []string{os.DevNull} // an empty list would mean the default directory
	}
	return dirs
}

// Servers lists the debuginfod servers to ask: none, unless Server or DEBUGINFOD_URLS says so.
func (d *DebugFiles) Servers() []string {
	env := os.Getenv("DEBUGINFOD_URLS")
	switch d.Server {
	case "":
		return symbolize.DebuginfodURLs(env)
	case "off":
		return nil
	case "on":
		return symbolize.ConfiguredDebuginfod(env)
	}
	return symbolize.DebuginfodURLs(d.Server)
}

// Check says what is wrong with Server.
func (d *DebugFiles) Check() error {
	switch d.Server {
	case "", "on", "off":
		return nil
	}
	if len(symbolize.DebuginfodURLs(d.Server)) == 0 {
		return fmt.Errorf("%s: not a URL", d.Server)
	}
	return nil
}
