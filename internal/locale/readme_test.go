package locale

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestReadme: README.zh-CN links all that README links, has the same commands, and the words that people search for.
func TestReadme(t *testing.T) {
	read := func(name string) string {
		b, err := os.ReadFile("../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	english, chinese := read("README.md"), read("README.zh-CN.md")
	link := regexp.MustCompile(`\]\(([^)]+)\)`)
	targets := func(page string) (list []string) {
		for _, m := range link.FindAllStringSubmatch(page, -1) {
			list = append(list, m[1])
		}
		return list
	}
	has := targets(chinese)
	for _, target := range targets(english) {
		if target != "README.zh-CN.md" && !slices.Contains(has, target) {
			t.Errorf("README.zh-CN.md does not link %s", target)
		}
	}
	for _, target := range has {
		if _, err := os.Stat("../../" + target); err != nil {
			t.Errorf("README.zh-CN.md links %s: %v", target, err)
		}
	}
	command := regexp.MustCompile(`(?m)^vmblame [a-z]+`)
	for _, c := range command.FindAllString(english, -1) {
		if !strings.Contains(chinese, "\n"+c) {
			t.Errorf("README.zh-CN.md has no %q", c)
		}
	}
	for _, words := range []string{"VIRT 过高", "64M 内存块", "堆外内存", "内存只增不减", "虚拟内存", "驻留内存", "匿名内存", "线程栈"} {
		if !strings.Contains(chinese, words) {
			t.Errorf("README.zh-CN.md does not say %s", words)
		}
	}
}
