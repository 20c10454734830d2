package analysis

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Moment is a place in a log: its end (the zero value), where the most was mapped, its first whole state, a time, or
// an event.
type Moment struct {
	Kind MomentKind
	T    int64  // with AtTime: nanoseconds since the recording began
	Seq  uint64 // with AtSeq: the last event that has happened
}

// MomentKind says how a Moment is specified.
type MomentKind uint8

// The kinds of moments.
const (
	AtEnd MomentKind = iota
	AtPeak
	AtTime
	AtSeq
	AtStart
)

// ParseMoment reads "start", "end", "peak", a time as Go writes it ("1.5s", "200ms"), or "seq:123".
func ParseMoment(s string) (Moment, error) {
	switch s {
	case "end":
		return Moment{}, nil
	case "peak":
		return Moment{Kind: AtPeak}, nil
	case "start":
		return Moment{Kind: AtStart}, nil
	}
	if n, ok := strings.CutPrefix(s, "seq:"); ok {
		seq, err := strconv.ParseUint(n, 10, 64)
		if err != nil {
			return Moment{}, fmt.Errorf("moment %q: not the number of an event", s)
		}
		return Moment{Kind: AtSeq, Seq: seq}, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return Moment{}, fmt.Errorf("moment %q: none of start, end, peak, a time such as 1.5s, or seq:N", s)
	}
	return Moment{Kind: AtTime, T: int64(d)}, nil
}

// String writes m as ParseMoment reads it.
func (m Moment) String() string {
	switch m.Kind {
	case AtPeak:
		return "peak"
	case AtStart:
		return "start"
	case AtTime:
		return time.Duration(m.T).String()
	case AtSeq:
		return "seq:" + strconv.FormatUint(m.Seq, 10)
	}
	return "end"
}
