package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vmblame/vmblame/internal/locale"
	"github.com/vmblame/vmblame/internal/text"
)

// isHan reports whether there is a Chinese character in s.
func isHan(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) })
}

// TestHelpIsTranslated: all that commands and flags say of themselves is told in Chinese.
func TestHelpIsTranslated(t *testing.T) {
	words, err := locale.Named("zh")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	wants := func(where, english string) {
		if strings.TrimSpace(english) == "" {
			return
		}
		seen++
		if got := words.Word(english); !isHan(got) {
			t.Errorf("%s: no translation of %q", where, english)
		}
	}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		wants(cmd.CommandPath(), cmd.Short)
		wants(cmd.CommandPath(), cmd.Long)
		for line := range strings.Lines(cmd.Example) {
			if strings.Contains(strings.TrimSpace(line), "    ") { // words beside a command
				wants(cmd.CommandPath(), cmd.Example)
				break
			}
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && f.Name != "help" {
				wants(cmd.CommandPath()+" --"+f.Name, f.Usage)
			}
		})
		if cmd.Name() != "completion" { // what cobra says of scripts for shells stays as it is
			for _, c := range cmd.Commands() {
				walk(c)
			}
		}
	}
	root := rootCommand()
	root.InitDefaultVersionFlag()
	walk(root)
	if seen < 100 {
		t.Errorf("%d texts: too few to have seen all", seen)
	}
}

// TestLanguage: --lang and the environment choose the language of help, answers and errors, never that of JSON; nothing is
// wider than the terminal.
func TestLanguage(t *testing.T) {
	ask := func(args ...string) (stdout, stderr string) {
		var out, errs bytes.Buffer
		root := rootCommand()
		root.SetOut(&out)
		root.SetErr(&errs)
		execute(root, args, &errs)
		return out.String(), errs.String()
	}
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG", "LANGUAGE"} {
		t.Setenv(name, "")
	}
	log := "../../internal/report/testdata/case.jsonl"
	english, _ := ask("report", log)
	if isHan(english) {
		t.Errorf("Chinese, and nobody asked for it:\n%s", english)
	}
	asJSON, _ := ask("report", "--json", log)
	t.Setenv("LANG", "zh_CN.UTF-8")
	chinese, _ := ask("report", log)
	if !isHan(chinese) {
		t.Errorf("LANG=zh_CN.UTF-8: English:\n%s", chinese)
	}
	if got, _ := ask("report", "--lang", "en", log); got != english {
		t.Errorf("--lang en:\n%s\nwant\n%s", got, english)
	}
	if got, _ := ask("report", "--json", log); got != asJSON {
		t.Error("JSON is another one in Chinese")
	}
	t.Setenv("LANG", "")
	if got, _ := ask("--lang", "zh", "report", log); got != chinese {
		t.Errorf("--lang zh:\n%s\nwant\n%s", got, chinese)
	}
	if _, got := ask("report", "--lang", "fr", log); !strings.Contains(got, "fr: unknown: en or zh") {
		t.Errorf("--lang fr: %s", got)
	}
	for _, c := range []struct{ args, want string }{
		{"report --lang zh nosuch.jsonl", "没有那个文件或目录"},
		{"--lang zh runn", "未知的命令 \"runn\"：是否想说 run？"},
		{"report --lang zh a b", "多余的参数 \"b\""},
		{"report --lang zh --nosuch", "未知的选项：--nosuch"},
		{"attach --lang zh 0 y", "不是 pid"},
		{"run --lang zh --max-frames=0 ls", "至少 1"},
		{"run --lang zh", "缺少 PROGRAM"},
		{"report --lang zh " + log + "@99s", "没有时刻 1m39s：日志止于"},
	} {
		if _, got := ask(strings.Fields(c.args)...); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", c.args, got, c.want)
		}
	}
	for _, width := range []int{60, 80, 120} {
		t.Setenv("COLUMNS", strconv.Itoa(width))
		root := rootCommand()
		for _, cmd := range root.Commands() {
			if cmd.Name() == "completion" || cmd.Name() == "man" {
				continue
			}
			got, _ := ask("--lang", "zh", cmd.Name(), "--help")
			if !strings.Contains(got, "用法：") || !strings.Contains(got, "选项：") {
				t.Errorf("%s: the help is not Chinese:\n%s", cmd.Name(), got)
			}
			flags := false
			for line := range strings.Lines(got) {
				flags = flags || line == "选项：\n"
				// Before the flags what is indented is for a shell, or a list of formats.
				if n := text.Width(strings.TrimSuffix(line, "\n")); n > width && (flags || !strings.HasPrefix(line, "  ")) {
					t.Errorf("%s: width %d: %d columns: %s", cmd.Name(), width, n, line)
				}
			}
		}
	}
	if got, _ := ask("__complete", "--lang", "zh", "rep"); isHan(got) {
		t.Errorf("completion knows the language of the environment alone: %s", got)
	}
	t.Setenv("LC_ALL", "zh_CN.UTF-8")
	if got, _ := ask("__complete", "rep"); !strings.Contains(got, "说明谁占用地址空间") {
		t.Errorf("completion in Chinese: %s", got)
	}
}

// TestPages: the examples of docs/answers.md and docs/answers.zh-CN.md are what is printed of the committed logs, up to what depends
// on the machine.
func TestPages(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("COLUMNS", "120")
	for _, c := range []struct{ page, lang string }{{"answers.md", "en"}, {"answers.zh-CN.md", "zh"}} {
		page, err := os.ReadFile(filepath.Join(here, "../../docs", c.page))
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for _, block := range strings.Split(string(page), "```\n$ vmblame ")[1:] {
			command, rest, _ := strings.Cut(block, "\n")
			want, _, _ := strings.Cut(rest, "```\n")
			switch {
			case strings.Contains(command, "case.jsonl"):
				t.Chdir(filepath.Join(here, "../../internal/report/testdata"))
			case strings.Contains(command, "real-"):
				t.Chdir(filepath.Join(here, "../../internal/eventlog/testdata"))
			default:
				continue // of another machine
			}
			seen++
			var out bytes.Buffer
			root := rootCommand()
			root.SetOut(&out)
			root.SetErr(io.Discard)
			execute(root, append([]string{"--lang", c.lang}, strings.Fields(command)...), io.Discard)
			if got := out.String(); !strings.Contains("\n"+got, "\n"+want) {
				t.Errorf("%s: %s:\n%s\nthe page has\n%s", c.page, command, got, want)
			}
		}
		if seen != 6 {
			t.Errorf("%s: %d examples, want 6", c.page, seen)
		}
	}
}
