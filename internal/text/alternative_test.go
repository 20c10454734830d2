package text

import (
	"bytes"
	"fmt"
	"testing"
	"text/tabwriter"
)

// BenchmarkAlternativeTable writes a table of 10,000 rows, as many as a process of some size has mappings, for a
// terminal of 100 columns by Table, and by text/tabwriter, which knows no width, no right column beside a left one, and
// counts colours as text.
func BenchmarkAlternativeTable(b *testing.B) {
	type row struct{ size, kind, where string }
	var rows []row
	for i := range 10000 {
		rows = append(rows, row{fmt.Sprintf("%d KiB", i*4), "glibc arena", fmt.Sprintf("/usr/lib/x86_64-linux-gnu/lib%d.so: start_thread < alloc_new_heap < mmap", i)})
	}
	b.Run("text", func(b *testing.B) {
		for b.Loop() {
			t := Table{Columns: []Column{{Head: "SIZE", Right: true}, {Head: "KIND", Limit: 30}, {Head: "WHERE"}}}
			for _, r := range rows {
				t.Add(Plain(r.size), Plain(r.kind), Plain(r.where))
			}
			t.Append(nil, Style{Width: 100})
		}
	})
	b.Run("tabwriter", func(b *testing.B) {
		for b.Loop() {
			var out bytes.Buffer
			w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "SIZE\tKIND\tWHERE")
			for _, r := range rows {
				fmt.Fprintf(w, "%s\t%s\t%s\n", r.size, r.kind, r.where)
			}
			w.Flush()
		}
	})
}
