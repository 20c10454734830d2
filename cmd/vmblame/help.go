package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vmblame/vmblame/internal/text"
)

// examples returns, for each command, the examples shown in its help and in its manual page: at least two.
func examples() map[string]string {
	return map[string]string{
		"vmblame": `  vmblame ./server --port 80         run it and record who maps what
  vmblame 4711                       what its memory is, now`,
		"run": `  vmblame run -o server.jsonl -- ./server --port 80
  vmblame run --no-aslr --env MALLOC_ARENA_MAX=1 -- ./server
  vmblame run --max-resident 64M --max-mappings 1000 -- ./test`,
		"attach": `  vmblame attach 4711                (Ctrl-C detaches)
  vmblame attach --duration 10m -o leak.jsonl.zst redis-server`,
		"map": `  vmblame map 4711
  vmblame map --all --sort reserved
  vmblame map -o now.jsonl redis-server`,
		"watch": `  vmblame watch 4711                 (q detaches)
  vmblame watch --map redis-server
  vmblame watch server.jsonl`,
		"report": `  vmblame report server.jsonl
  vmblame report --by stack --min-size 1M server.jsonl@peak
  vmblame report --kind arena --thread worker server.jsonl`,
		"blame": `  vmblame blame server.jsonl 7ffff7080000-7ffff7c00000
  cat /proc/4711/smaps | vmblame blame server.jsonl -`,
		"history": `  vmblame history server.jsonl 7ffff7cc5000
  vmblame history --stacks server.jsonl@1.5s 7ffff7cc5000`,
		"failed": `  vmblame failed server.jsonl
  vmblame failed --function cache_ --json server.jsonl`,
		"growth": `  vmblame growth server.jsonl
  vmblame growth --since 10m --until 1h --thread worker server.jsonl`,
		"diff": `  vmblame diff host.jsonl container.jsonl
  vmblame diff server.jsonl@10m server.jsonl@end
  vmblame diff --fail-over 5% before.jsonl after.jsonl`,
		"html": `  vmblame html -o server.html server.jsonl
  vmblame html -o both.html before.jsonl after.jsonl`,
		"serve": `  vmblame serve server.jsonl
  vmblame serve before.jsonl after.jsonl`,
		"export": `  vmblame export --format json server.jsonl | jq .header
  vmblame export --format folded server.jsonl >server.folded`,
		"symbolize": `  vmblame symbolize server.jsonl
  vmblame symbolize --debug-dir ./debug -o named.jsonl server.jsonl`,
		"check": `  vmblame check server.jsonl
  vmblame check --json server.jsonl`,
		"version": `  vmblame version
  vmblame version --json`,
		"help": `  vmblame help
  vmblame help run`,
		"man": `  vmblame man ./man
  man ./man/vmblame-run.1`,
		"completion": `  source <(vmblame completion bash)
  vmblame completion fish >~/.config/fish/completions/vmblame.fish`,
	}
}

// helpWidth is how wide help is at most: longer lines are hard to read.
const helpWidth = 100

// giveHelp gives root and its commands examples, and help in the language of who reads it.
func giveHelp(root *cobra.Command) {
	list := examples()
	root.Example = list["vmblame"]
	for _, cmd := range root.Commands() {
		if cmd.Example == "" {
			cmd.Example = list[cmd.Name()]
		}
	}
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		l := look(cmd, os.Stdout)
		l.Width = min(l.Width, helpWidth)
		speak(root, l.Words)
		_, _ = io.WriteString(cmd.OutOrStdout(), helpText(cmd, l))
	})
}

// helpText is the help of a command, in lines of at most so many columns as l has: what it does, its usage, examples, its
// commands and its flags.
func helpText(cmd *cobra.Command, l text.Style) string {
	var b strings.Builder
	about := cmd.Long
	if about == "" {
		about = cmd.Short
	}
	b.WriteString(paragraphs(strings.TrimSpace(about), l.Width) + "\n\n" + l.Word("Usage:") + "\n")
	if cmd.Runnable() {
		b.WriteString(listed("  "+cmd.UseLine(), l.Width) + "\n")
	}
	if cmd.HasAvailableSubCommands() {
		b.WriteString("  " + cmd.CommandPath() + " [command]\n")
	}
	if cmd.HasExample() {
		b.WriteString("\n" + l.Word("Examples:") + "\n")
		for line := range strings.SplitSeq(cmd.Example, "\n") {
			b.WriteString(listed(line, l.Width) + "\n")
		}
	}
	if cmd.HasAvailableSubCommands() {
		b.WriteString("\n" + l.Word("Available Commands:") + "\n")
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() || c.Name() == "help" {
				b.WriteString(text.Indented(fmt.Sprintf("  %-*s ", c.NamePadding(), c.Name()), c.Short, l.Width) + "\n")
			}
		}
	}
	if cmd.HasAvailableLocalFlags() {
		b.WriteString("\n" + l.Word("Flags:") + "\n" + flagsText(cmd.LocalFlags(), l))
	}
	if cmd.HasAvailableInheritedFlags() {
		b.WriteString("\n" + l.Word("Global Flags:") + "\n" + flagsText(cmd.InheritedFlags(), l))
	}
	if cmd.HasAvailableSubCommands() {
		b.WriteString("\n" + text.Fold(l.Say("Use \"%s [command] --help\" for more information about a command.", cmd.CommandPath()), l.Width, "") + "\n")
	}
	return b.String()
}

// flagsText lists flags as pflag does, in lines that fit.
func flagsText(flags *pflag.FlagSet, l text.Style) string {
	var b strings.Builder
	lines := strings.Split(strings.TrimSuffix(flags.FlagUsages(), "\n"), "\n")
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || len(lines) == 0 {
			return
		}
		line := lines[0]
		lines = lines[1:]
		value, usage := pflag.UnquoteUsage(f)
		head, rest, ok := strings.Cut(line, usage)
		if f.NoOptDefVal != "" && value != "" { // pflag's is NAME URL[="on"]
			mine, its := "--"+f.Name+"[="+value+"]", fmt.Sprintf("--%s %s[=%q]", f.Name, value, f.NoOptDefVal)
			head = strings.Replace(head, its, mine+strings.Repeat(" ", max(len(its)-len(mine), 0)), 1)
		}
		if !ok || usage == "" {
			b.WriteString(line + "\n")
			return
		}
		if value, ok := strings.CutPrefix(rest, " (default "); ok {
			rest = l.Say(" (default %s)", strings.Trim(strings.TrimSuffix(value, ")"), `"`))
		}
		b.WriteString(text.Indented(head, usage+rest, l.Width) + "\n")
	})
	return b.String()
}

// listed folds a line that begins with blanks. Text after two blanks is a description and is continued below itself; a
// long command is continued in such a way that a shell still accepts it.
func listed(line string, width int) string {
	if width <= 0 || text.Width(line) <= width {
		return line
	}
	rest := strings.TrimLeft(line, " ")
	indent := line[:len(line)-len(rest)]
	command, about, found := strings.Cut(rest, "  ")
	if !found {
		return strings.TrimSuffix(text.Commands(indent, width, rest), "\n")
	}
	about = strings.TrimLeft(about, " ")
	if head := line[:len(line)-len(about)]; text.Width(head)*2 <= width {
		return text.Indented(head, about, width)
	}
	return listed(indent+command, width) + "\n" + text.Indented(indent+"    ", about, width)
}

// paragraphs folds s, a paragraph at a time; lines that begin with a blank are folded one by one.
func paragraphs(s string, width int) string {
	var out, words []string
	flush := func() {
		if len(words) > 0 {
			out = append(out, text.Fold(strings.Join(words, " "), width, ""))
			words = nil
		}
	}
	for line := range strings.SplitSeq(s, "\n") {
		if line == "" || line[0] == ' ' {
			flush()
			out = append(out, listed(line, width))
			continue
		}
		words = append(words, line)
	}
	flush()
	return strings.Join(out, "\n")
}
