package locale

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/vmblame/vmblame/internal/classify"
)

// verbs are those of formats, as package fmt has them.
var verbs = regexp.MustCompile(`%(?:\[(\d+)\])?[-+# 0]*\d*(?:\.\d+)?([a-zA-Z%])`)

// said by these packages is what is looked up; told by those what comes finished.
var (
	sayers  = []string{"internal/report", "internal/naming", "internal/watch", "cmd/vmblame"}
	tellers = []string{"internal/classify", "internal/inspect", "internal/report", "internal/analysis", "internal/callers", "internal/ledger", "internal/record", "internal/mm", "internal/eventlog", "internal/vm", "internal/locale", "internal/distro", "internal/naming", "cmd/vmblame"}
)

// TestComplete: everything that is looked up has a translation, and every translation is looked up.
func TestComplete(t *testing.T) {
	s := readSource(t, sayers...)
	wanted := s.keys
	// The help of commands is looked up by what their tree says, in a test of theirs. The beginning of a text may be all that its
	// source has.
	for _, k := range slices.Sorted(maps.Keys(help())) {
		if wanted[k] == "" && slices.ContainsFunc(s.literals, func(l string) bool { return len(l) >= min(8, len(k)) && strings.HasPrefix(k, l) || k == l }) || isCobra(k) {
			wanted[k] = "help"
		}
	}
	for _, k := range dynamic() {
		wanted[k] = "a word of the answer"
	}
	have := map[string]string{}
	for _, list := range said() {
		for k, v := range list {
			if have[k] != "" {
				t.Errorf("%q has two translations", k)
			}
			have[k] = v
		}
	}
	all := entries()
	for _, k := range slices.Sorted(maps.Keys(wanted)) {
		if all[k] == "" {
			t.Errorf("%s: no translation of %q", wanted[k], k)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(have)) {
		if wanted[k] == "" {
			t.Errorf("%q is translated, and nothing says it", k)
		}
	}
	if len(wanted) < 150 {
		t.Errorf("%d things are said: too few to have seen all", len(wanted))
	}
}

// isCobra reports whether cobra says something of itself.
func isCobra(key string) bool {
	return strings.HasPrefix(key, "Generate the autocompletion script for ") || strings.HasPrefix(key, "help for ") || key == "version for vmblame"
}

// TestFailures: every error of a command is told in Chinese, whatever it is about.
func TestFailures(t *testing.T) {
	s := readSource(t, "cmd/vmblame")
	z := newChinese()
	example := map[string]string{"s": "server.jsonl", "d": "7", "v": "permission denied", "w": "permission denied", "q": `"x"`}
	seen := 0
	for format, where := range s.failures {
		if strings.HasSuffix(format, ":%s") {
			format = strings.TrimSuffix(format, "%s") // a table, in lines of its own
		}
		words := ""
		for _, happened := range []string{"no such process in the log", "the log is cut", "permission denied"} {
			example["v"], example["w"] = happened, happened
			words = verbs.ReplaceAllStringFunc(format, func(v string) string { return example[v[len(v)-1:]] })
			if z.Told(words) != words && !strings.HasSuffix(z.Told(words), "："+words[strings.LastIndex(words, ": ")+2:]) {
				break
			}
		}
		if strings.Trim(verbs.ReplaceAllString(format, ""), " :-\n") == "" || strings.HasPrefix(format, "%s\n") || format == "enough" || format == "watch: %s" {
			continue // the words are in what is filled in; or nobody sees them
		}
		seen++
		if got := z.Told(words); !strings.ContainsFunc(got, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
			t.Errorf("%s: no translation of %q (%q)", where, format, words)
		}
	}
	if seen < 30 {
		t.Errorf("%d errors: too few to have seen all", seen)
	}
}

// TestNotes: what a recording notes, or warns of, is told in Chinese.
func TestNotes(t *testing.T) {
	s := readSource(t, "internal/record")
	z := newChinese()
	example := map[string]string{"s": "server", "d": "7", "v": "1"}
	for format, where := range s.notes {
		switch {
		case strings.HasPrefix(format, "attached to %s"):
			format = "attached to server 7, 3 threads, sigtrap: 1"
		case strings.Trim(verbs.ReplaceAllString(format, ""), " :pid") == "":
			continue // the words are in what is filled in
		}
		words := verbs.ReplaceAllStringFunc(format, func(v string) string { return example[v[len(v)-1:]] })
		if got := z.Told(words); got == words {
			t.Errorf("%s: no translation of %q", where, words)
		}
	}
	if len(s.notes) < 20 {
		t.Errorf("%d notes: too few to have seen all", len(s.notes))
	}
}

// dynamic are the words that views look up by what an answer has.
func dynamic() []string {
	return []string{
		"certain", "likely", "guess", // how sure a kind is
		"line", "step", "saw", "fall", "none", "irregular", // courses
		"mapped", "freed", "split", "grew", "found", "forked", "moved in", "moved away", "overlaid", "protected", "named", "advised", // steps
		"addresses", "growth", "resident", "usable", "count", "name", "kind", "function", "thread", "file", "processes", // of watch
		"launch", "attach", "fork", "exec", "segment", // how an address space begins
		"PSS", "PRIVATE", "SHARED", "SWAP", "HUGE", "LOCKED", "FILE", "FUNCTION", "THREAD", "CALLS, the outermost first", // heads
	}
}

// TestTold: what is translated of finished words stands in the source that makes them, and the words for every kind of memory
// are translated.
func TestTold(t *testing.T) {
	s := readSource(t, tellers...)
	all := strings.ToLower(strings.Join(s.literals, "\x00"))
	z := newChinese()
	// Words of kinds are filled in, and so is which call it was, by whom.
	names := []string{"mmap ", "\x00", "mremap ", "\x00", "brk ", "\x00", "shmat ", "\x00", " by thread", "\x00"}
	for _, k := range kinds() {
		names = append(names, k[0], "\x00")
	}
	split := strings.NewReplacer(append(names, "(", "\x00")...)
	for _, list := range told() {
		for _, k := range slices.Sorted(maps.Keys(list)) {
			for part := range strings.SplitSeq(split.Replace(verbs.ReplaceAllString(strings.ReplaceAll(k, "%%", "%"), "\x00")), "\x00") {
				if part = strings.Trim(part, " :,;()"); part != "" && part != "s" && !strings.Contains(all, strings.ToLower(part)) {
					t.Errorf("%q: no source says %q", k, part)
				}
			}
		}
	}
	c, have := classify.Known(), kindWords()
	wanted := map[string]bool{}
	for _, k := range c.Kinds() {
		r := c.Row(k)
		for _, w := range []classify.Words{r.Words, r.Heading.Words} {
			wanted[w.One], wanted[w.Many] = true, true
			for _, n := range []int{1, 3} {
				if got := z.Told(w.Count(n)); !strings.Contains(got, fmt.Sprint(n)) || strings.Contains(got, w.Many) && have[w.Many] != w.Many {
					t.Errorf("%s: %s", w.Count(n), got)
				}
			}
		}
		if r.MadeBy != "" && makers()[r.MadeBy] == "" {
			t.Errorf("no translation of %q", r.MadeBy)
		}
	}
	for w := range wanted {
		if have[w] == "" {
			t.Errorf("no translation of the kind %q", w)
		}
	}
	for _, k := range kinds() {
		if !wanted[k[0]] && !slices.Contains(s.literals, k[0]) {
			t.Errorf("%q is translated, and no kind is called so", k[0])
		}
	}
}

// TestVerbs: a translation fills in what the English does, each once.
func TestVerbs(t *testing.T) {
	z := newChinese()
	for key, translation := range entries() {
		if strings.TrimSpace(translation) == "" {
			t.Errorf("%q: an empty translation", key)
		}
		if a, b := listVerbs(key), listVerbs(translation); a != b {
			t.Errorf("%q has the verbs %s, and %q has %s", key, a, translation, b)
		}
		if lead, was := leading(translation), leading(key); was != lead && !strings.HasPrefix(translation, "，") && !strings.HasPrefix(translation, "（") {
			t.Errorf("%q begins with %d blanks, and %q with %d", key, was, translation, lead)
		}
		if got := z.Word(key); got != translation {
			t.Errorf("%q: the catalogue has %q, want %q", key, got, translation)
		}
	}
}

func leading(s string) int { return len(s) - len(strings.TrimLeft(s, " ")) }

// listVerbs are the verbs of a format in the order of its arguments. That of words that are known themselves may be %v for %s.
func listVerbs(format string) string {
	list := map[int]string{}
	next := 1
	for _, m := range verbs.FindAllStringSubmatch(format, -1) {
		if m[2] == "%" {
			continue
		}
		if m[1] != "" {
			fmt.Sscan(m[1], &next)
		}
		v := regexp.MustCompile(`^%(\[\d+\])?`).ReplaceAllString(m[0], "%")
		if v == "%v" || v == "%q" {
			v = "%s"
		}
		list[next] += v
		next++
	}
	var words []string
	for _, i := range slices.Sorted(maps.Keys(list)) {
		words = append(words, fmt.Sprint(i, list[i]))
	}
	return strings.Join(words, " ")
}

// TestChinese: what has no name in it is Chinese.
func TestChinese(t *testing.T) {
	for key, translation := range entries() {
		if strings.Contains(key, translation) || strings.ContainsFunc(translation, func(r rune) bool {
			return unicode.Is(unicode.Han, r) || strings.ContainsRune("，。：；（）、", r)
		}) {
			continue
		}
		if left := strings.Trim(verbs.ReplaceAllString(translation, ""), " /:x"); left != "" {
			t.Errorf("%q: %q", key, translation)
		}
	}
}

// TestLabels: names stay as they are, and nothing that is a name is taken for words.
func TestLabels(t *testing.T) {
	z := newChinese()
	for english, want := range map[string]string{
		"glibc malloc arena of thread 9838 worker":    "glibc arena（分配区）：线程 9838 worker",
		"  glibc malloc arena of thread 9838 of data": "  glibc arena（分配区）：线程 9838 of data",
		"thread stack of thread 12 a, ended":          "线程栈：线程 12 a（已结束）",
		"14 glibc malloc arenas":                      "14 个 glibc arena（分配区）",
		"anonymous memory (5)":                        "匿名内存（5）",
		"code and data of 6 files: a, libc.so.6":      "6 个文件的代码和数据：a, libc.so.6",
		"code and data of 3 ELF files":                "3 个 ELF 文件的代码和数据",
		"jemalloc metadata: rtree":                    "jemalloc 元数据：rtree",
		"jemalloc extent: large allocations":          "jemalloc extent（区段）：大块分配",
		"anonymous memory by data":                    "匿名内存：由 data",
		"file index: of data":                         "文件 index: of data",
		"code of data":                                "代码：data",
		"my own label":                                "my own label",
		"/srv/data of thread 3":                       "/srv/data of thread 3",
		"":                                            "",
		"4 of these":                                  "其中 4 个",
		"no thread: before attach":                    "无线程：附加之前",
		"as pid 12 had it":                            "继承自 pid 12",
		"mmap (no stack)":                             "mmap（无调用栈）",
		"rw-p anonymous (reused)":                     "rw-p 匿名（曾用过）",
		"r--p sys.so (reused)":                        "r--p sys.so（曾用过）",
		"1.0 GiB of 1.0 GiB reserved as Java class space are address space only: -XX:CompressedClassSpaceSize=128m bounds the Java class space":                                            "Java 类空间保留的 1.0 GiB 中有 1.0 GiB 只是地址空间：-XX:CompressedClassSpaceSize=128m 限制 Java 类空间",
		"40 thread stacks reserve 320.0 MiB of address space, the fullest uses 52 KiB: ulimit -s 256 (the size of new threads' stacks where the program gives none) would spare 310.0 MiB": "40 个线程栈保留了 320.0 MiB 地址空间，用得最多的只用 52 KiB：ulimit -s 256（程序未指定时新线程栈的大小）可节省 310.0 MiB",
	} {
		if got := z.Told(english); got != want {
			t.Errorf("%q: %q, want %q", english, got, want)
		}
	}
}
