package text

import (
	"fmt"
	"strconv"
)

// Size writes a number of bytes: "8 KiB", "64.0 MiB", "-1.5 GiB".
func Size(n int64) string {
	switch {
	case n < 0:
		return "-" + Size(-n)
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

// Percent writes part of whole with one decimal, never rounded up to 100.0 %: that is only written for the whole.
func Percent(part, whole int64) string {
	if whole <= 0 || part >= whole {
		return "100.0 %"
	}
	p := min(int64(float64(part)/float64(whole)*1000), 999)
	return fmt.Sprintf("%d.%d %%", p/10, p%10)
}

// When writes a time since the recording began, in nanoseconds: "0.0041 s", "12.30 s".
func When(ns int64) string {
	s := float64(ns) / 1e9
	digits := 4
	switch {
	case s >= 100:
		digits = 1
	case s >= 10:
		digits = 2
	}
	return strconv.FormatFloat(s, 'f', digits, 64) + " s"
}

// Seconds writes how long something took, in nanoseconds: "4.2 s", "0.062 s".
func Seconds(ns int64) string {
	s := float64(ns) / 1e9
	if s < 1 {
		return fmt.Sprintf("%.3f s", s)
	}
	return fmt.Sprintf("%.1f s", s)
}

// Count writes "1 process", "2 processes".
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// Thousands writes a number with a comma before each three digits: "65,530".
func Thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Share writes part of whole in whole percents: "53 %", "<1 %" for what would be rounded to none. It is "" for a whole of 0.
func Share(part, whole int64) string {
	if whole <= 0 {
		return ""
	}
	p := int64(float64(part)/float64(whole)*100 + 0.5)
	switch {
	case p == 0 && part > 0:
		return "<1 %"
	case p >= 100 && part < whole:
		return "99 %"
	}
	return strconv.FormatInt(p, 10) + " %"
}
