package analysis

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/text"
)

// labelOf names objects of one heading: "glibc malloc arena of thread 9838 worker", "3 thread stacks".
func labelOf(h *classify.Heading, ts []*object) string {
	switch {
	case h.Told == classify.AsFiles:
		return filesLabel(ts)
	case h.Told == classify.AsOne:
		return h.Words.One
	case len(ts) > 1:
		return h.Words.Count(len(ts))
	}
	return detailed(ts[0].words.One, ts[0].detail)
}

// partLabel names objects whose heading stands in the line above.
func partLabel(h *classify.Heading, ts []*object) string {
	t := ts[0]
	own := t.words.One != h.Words.One
	switch {
	case h.Told == classify.AsFiles:
		return filesLabel(ts)
	case len(ts) > 1 && own:
		return t.words.Count(len(ts))
	case len(ts) > 1 || !own && t.detail == "":
		return strconv.Itoa(len(ts)) + " of these"
	case own:
		return detailed(t.words.One, t.detail)
	}
	return t.detail
}

// partName names objects whose heading stands in the line above, without saying whose they are; "" if the heading
// says it all.
func partName(h *classify.Heading, ts []*object) string {
	t, name := ts[0], ""
	if t.words.One != h.Words.One {
		name = t.words.One
	}
	switch {
	case h.Told == classify.AsFiles:
		return ""
	case len(ts) == 1 && t.tid == 0:
		return detailed(name, t.detail)
	}
	return name
}

// filesLabel names loaded files: "code and data of libc.so.6", "code and data of 6 files: a, b, c, ...".
func filesLabel(ts []*object) string {
	var files []string
	for _, t := range ts {
		for _, x := range t.mappings {
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
		return "code and data of " + text.Count(len(ts), "file", "files")
	case 1:
		return "code and data of " + files[0]
	}
	return fmt.Sprintf("code and data of %d files: %s", len(files), strings.Join(files, ", "))
}

// detailed joins a name and its detail: "thread stack of thread 12 worker", "jemalloc extent: tcache".
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

// kindDetail names a mapping: "code of libc.so.6", "glibc malloc arena of thread 9838 worker".
func kindDetail(x *mapping) string {
	switch {
	case x.row.Heading.Told == classify.AsFiles && x.Detail != "":
		return x.Name + " of " + x.Detail
	case x.row.Heading.Told == classify.AsOne:
		return strings.Trim(x.File.Path, "[]")
	}
	return detailed(x.Name, x.Detail)
}
