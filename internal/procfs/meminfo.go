package procfs

import (
	"strconv"
	"strings"

	"github.com/vmblame/vmblame/internal/kernelfile"
)

// Meminfo reads /proc/meminfo by the words there: bytes, and numbers of huge pages; it is empty where that cannot be read.
func Meminfo() map[string]int64 {
	text, _ := kernelfile.Read("/proc/meminfo")
	list := make(map[string]int64)
	for line := range strings.Lines(string(text)) {
		word, value, ok := strings.Cut(line, ":")
		value, isBytes := strings.CutSuffix(strings.TrimSpace(value), " kB")
		n, err := strconv.ParseInt(value, 10, 64)
		if !ok || err != nil {
			continue
		}
		if isBytes {
			n <<= 10
		}
		list[word] = n
	}
	return list
}

// HugePageSize reads the size in bytes of a default huge page from /proc/meminfo, 2 MiB where it is not told.
func HugePageSize() uint64 {
	if n := Meminfo()["Hugepagesize"]; n > 0 {
		return uint64(n)
	}
	return leastHugePage
}
