package analysis

import (
	"fmt"
	"strings"
	"testing"
)

// TestKernelRows: rows that look alike and that the kernel keeps apart count as the nearest snapshot has them: many of one
// mapping (madvise), and relocated constants beside others that were never writable.
func TestKernelRows(t *testing.T) {
	file := func(start, end, offset int) string {
		return fmt.Sprintf(`{"start":"%#x","end":"%#x","perms":"r--p","offset":%d,"dev":"fe:00","inode":9,"path":"/bin/x","origin":null,"origin_cause":"kernel","exec":null`, start, end, offset)
	}
	const figures = `,"rss":4096,"pss":4096,"private_dirty":0,"swap":0`
	// The space has a page of code; two mappings of the same file that could be one, of different calls; and one of 64 MiB.
	relro := func(seq, at, offset int) string {
		return strings.NewReplacer(`"rw-p","offset":0,"dev":"00:00","inode":0,"path":""`, fmt.Sprintf(`"r--p","offset":%d,"dev":"fe:00","inode":9,"path":"/bin/x"`, offset)).Replace(mapLine(seq, uint64(at), uint64(at+4096)))
	}
	lines := []string{relro(1, 0x500000, 0), relro(2, 0x501000, 4096), mapLine(3, 0x7f0000000000, 0x7f0004000000)}
	mapping := func(m string, seq, rows int) string {
		m = strings.Replace(m, `"origin":null,"origin_cause":"kernel","exec":null`, fmt.Sprintf(`"origin":%d`, seq), 1)
		if rows > 0 {
			return m + figures + fmt.Sprintf(`,"rows":%d}`, rows)
		}
		return m + figures + "}"
	}
	big := `{"start":"0x7f0000000000","end":"0x7f0004000000","perms":"rw-p","offset":0,"dev":"00:00","inode":0,"path":"","origin":3`
	snapshot := func(second, many int) string {
		return `{"type":"snapshot","t":40000,"after":3,"space":1,"cause":"exit","mappings":[` +
			strings.Join([]string{pageOfExe[:len(pageOfExe)-1] + figures + `,"rows":1}`, mapping(file(0x500000, 0x501000, 0), 1, 1), mapping(file(0x501000, 0x502000, 4096), 2, second), mapping(big, 3, many)}, ",") + `]}`
	}
	for _, c := range []struct {
		lines []string
		rows  int
	}{
		{lines, 3},
		{append(lines, snapshot(0, 1)), 3},
		{append(lines, snapshot(1, 1)), 4},
		{append(lines, snapshot(1, 16384)), 3 + 16384},
	} {
		s, err := Load(textLog(c.lines...), Moment{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		p := s.Report(ReportOptions{}).Processes[0]
		sum := 0
		for _, h := range p.Holders {
			sum += h.VMAs
		}
		if p.VMAs != c.rows || sum != c.rows {
			t.Errorf("%d rows, %d of those who hold them, want %d", p.VMAs, sum, c.rows)
		}
	}
}
