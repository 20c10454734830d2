package report

import (
	"fmt"
	"strconv"
	"strings"
)

// bytesText writes a number of bytes for people: "8 KiB", "64.0 MiB", "1.5 GiB".
func bytesText(n int64) string {
	switch {
	case n == 0:
		return "0"
	case n < 1<<10:
		return strconv.FormatInt(n, 10) + " B"
	case n < 1<<20:
		return strconv.FormatInt(n>>10, 10) + " KiB"
	}
	units := [...]string{"MiB", "GiB", "TiB"}
	v, u := float64(n)/(1<<20), 0
	// 1023.95 MiB would be rounded to 1024.0.
	for v >= 1023.95 && u < len(units)-1 {
		v, u = v/1024, u+1
	}
	return fmt.Sprintf("%.1f %s", v, units[u])
}

// peakText writes peak without its unit where now, written just before, has the same.
func peakText(now, peak int64) string {
	s := bytesText(peak)
	number, unit, _ := strings.Cut(s, " ")
	if strings.HasSuffix(bytesText(now), " "+unit) {
		return number
	}
	return s
}

// percentText writes part of whole with one decimal, never rounded up: only all of it is 100.0 %.
func percentText(part, whole int64) string {
	if whole <= 0 || part >= whole {
		return "100.0 %"
	}
	p := int64(float64(part) / float64(whole) * 1000)
	if p > 999 {
		p = 999
	}
	return fmt.Sprintf("%d.%d %%", p/10, p%10)
}

// secondsText writes nanoseconds: "4.2 s", "0.062 s".
func secondsText(ns int64) string {
	s := float64(ns) / 1e9
	if s < 1 {
		return fmt.Sprintf("%.3f s", s)
	}
	return fmt.Sprintf("%.1f s", s)
}

// countText writes "1 thread", "2 threads".
func countText(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if strings.HasSuffix(noun, "s") {
		return fmt.Sprintf("%d %ses", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
