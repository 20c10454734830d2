package report

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/vmblame/vmblame/internal/classify"
)

// family is what a kind is listed under, in words for one and for several.
func family(k classify.Kind) (word string, of string) {
	switch k {
	case classify.ELFText, classify.ELFRodata, classify.ELFData, classify.ELFRelro, classify.ELFBSS, classify.ELFGap:
		return "elf", "ELF file"
	case classify.StackGuard:
		return string(classify.ThreadStack), classify.ThreadStack.Name()
	case classify.VDSO:
		return string(k), "the kernel's vdso and vvar"
	}
	return string(k), k.Name()
}

// labelOf names things of one family: "glibc malloc arena of thread 9838 worker", "3 thread stacks".
func labelOf(ts []*thing) string {
	t := ts[0]
	word, name := family(t.kind)
	switch {
	case word == "elf":
		return elfLabel(ts)
	case t.kind == classify.VDSO:
		return name
	}
	if len(ts) > 1 {
		for _, o := range ts {
			if o.name != t.name || t.kind != classify.Named {
				return plural(len(ts), name)
			}
		}
		return plural(len(ts), t.name)
	}
	if t.name != "" {
		name = t.name
	}
	return detailed(name, t.detail)
}

// partLabel names things whose family stands in the line above.
func partLabel(ts []*thing) string {
	t := ts[0]
	word, name := family(t.kind)
	if word == "elf" {
		return elfLabel(ts)
	}
	own := ""
	if t.name != name {
		own = t.name
	}
	if len(ts) > 1 {
		if own == "" {
			own = "of these"
		}
		return strconv.Itoa(len(ts)) + " " + own
	}
	if own == "" && t.detail == "" {
		return "1 of these"
	}
	return detailed(own, t.detail)
}

// elfLabel names loaded files: "code and data of libc.so.6", "code and data of 6 files: a, b, c, ...".
func elfLabel(ts []*thing) string {
	var files []string
	for _, t := range ts {
		for _, x := range t.pieces {
			if x.File.Inode != 0 {
				if b := path.Base(x.File.Path); !slices.Contains(files, b) {
					files = append(files, b)
				}
				break
			}
		}
	}
	switch len(files) {
	case 0:
		return "code and data of " + countText(len(ts), "file")
	case 1:
		return "code and data of " + files[0]
	}
	return fmt.Sprintf("code and data of %d files: %s", len(files), strings.Join(files, ", "))
}

// detailed puts a name and its detail together: "thread stack of thread 12 worker", "jemalloc extent: tcache".
func detailed(name, detail string) string {
	switch {
	case name == "":
		return detail
	case detail == "":
		return name
	}
	switch first, _, _ := strings.Cut(detail, " "); first {
	case "of", "by", "for", "in", "from":
		return name + " " + detail
	}
	return name + ": " + detail
}

// plural writes "3 thread stacks".
func plural(n int, name string) string {
	switch name {
	case classify.Direct.Name(), classify.Reserved.Name(), classify.FileData.Name(), classify.Unknown.Name(), classify.Locale.Name():
		if name == "file" {
			return fmt.Sprintf("%d files", n)
		}
		return fmt.Sprintf("%s (%d)", name, n)
	}
	if strings.HasSuffix(name, "memory") || strings.HasSuffix(name, "metadata") || strings.HasSuffix(name, ")") || strings.HasSuffix(name, "malloc") || strings.HasSuffix(name, "s") {
		return fmt.Sprintf("%s (%d)", name, n)
	}
	return countText(n, name)
}

// kindDetail names a piece: "code of libc.so.6", "glibc malloc arena of thread 9838 worker".
func kindDetail(x *piece) string {
	word, _ := family(x.Kind)
	switch {
	case word == "elf" && x.Detail != "":
		return x.Name + " of " + x.Detail
	case x.Kind == classify.VDSO:
		return strings.Trim(x.File.Path, "[]")
	}
	return detailed(x.Name, x.Detail)
}
