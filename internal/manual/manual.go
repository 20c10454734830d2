// Package manual makes the manual pages, which are the help of every command.
package manual

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// Write makes the folder dir and writes there a page for root and for every command of it. It returns how many files are in dir. Of root it
// takes the command "completion" away.
func Write(root *cobra.Command, version, dir string) (int, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, err
	}
	root.DisableAutoGenTag = true
	// A shell's completion is no command that anybody looks up.
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			root.RemoveCommand(c)
		}
	}
	head := &doc.GenManHeader{Section: "1", Source: "vmblame " + version, Manual: "vmblame"} // each page has its own title
	if err := doc.GenManTree(root, head, dir); err != nil {
		return 0, err
	}
	if err := finishPages(dir); err != nil {
		return 0, err
	}
	pages, err := os.ReadDir(dir)
	return len(pages), err
}

// finishPages gives every page what its help does not have: exit status, environment and files.
func finishPages(dir string) error {
	pages, err := filepath.Glob(filepath.Join(dir, "vmblame*.1"))
	if err != nil {
		return err
	}
	for _, page := range pages {
		b, err := os.ReadFile(page)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(page), "vmblame-"), ".1")
		text := strings.Replace(string(b), "\n.SH EXAMPLE\n", "\n.SH EXAMPLES\n", 1)
		more := sections(name)
		if i := strings.Index(text, "\n.SH SEE ALSO"); i >= 0 {
			text = text[:i+1] + more + text[i+1:]
		} else {
			text += more
		}
		if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// sections are EXIT STATUS, ENVIRONMENT and FILES of a command's page, in man(7).
func sections(name string) string {
	status := ".TP\n0\ndone\n.TP\n1\nfailed: what, and what to do, stands on standard error\n.TP\n2\nwrong usage\n"
	switch name {
	case "run":
		status = "The program's own. Where it was killed by a signal, vmblame dies of the same one, else 128 and its number.\n" +
			".TP\n2\nwrong usage\n.TP\n3\na bound was passed (\\-\\-max\\-addresses, \\-\\-max\\-resident, \\-\\-max\\-mappings), and the program itself ended with 0\n" +
			".TP\n125\nvmblame failed\n.TP\n126\nthe program cannot be executed\n.TP\n127\nthe program was not found\n"
	case "diff":
		status += ".TP\n3\nthe bound of \\-\\-fail\\-over was passed\n"
	case "check":
		status = ".TP\n0\nthe log is consistent\n.TP\n1\nit is not, it is cut, or it cannot be read\n.TP\n2\nwrong usage\n"
	}
	return ".SH EXIT STATUS\n" + status +
		".SH ENVIRONMENT\n.TP\nLC_ALL, LC_MESSAGES, LANG, LANGUAGE\nthe language of what people read: English, or Chinese (zh_CN.UTF-8); these pages are English\n.TP\nCOLUMNS\nhow wide lines are that go to a pipe or a file (120)\n.TP\nNO_COLOR\nno colours on a terminal\n" +
		".TP\nDEBUGINFOD_URLS\nservers that \\-\\-debuginfod asks\n.TP\nXDG_CACHE_HOME, VMBLAME_CACHE\nwhere the cache of names is; VMBLAME_CACHE=off: none\n" +
		".TP\nGITHUB_STEP_SUMMARY\na file that run and diff append their verdict to, in Markdown\n" +
		".SH FILES\n.TP\nvmblame.PID.jsonl\nthe log, in the working directory, unless \\-o names another\n" +
		".TP\n~/.cache/vmblame\nnames of functions by build id\n.TP\n/usr/lib/debug\nseparate debug files\n"
}
