package procfs

import (
	"os"
	"strconv"
	"strings"
)

// HugePageSize reads the size in bytes of a default huge page from /proc/meminfo, 2 MiB where it is not told.
func HugePageSize() uint64 {
	text, _ := os.ReadFile("/proc/meminfo")
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "Hugepagesize:"); ok {
			kib, _ := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10
		}
	}
	return leastHugePage
}
