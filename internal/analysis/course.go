package analysis

// A Course describes how an amount changed over time.
type Course struct {
	Form   Form   `json:"form"`             // "line", "step", "saw", "fall", "none" or "irregular"
	T      *int64 `json:"t,omitempty"`      // when a line begins, or a step is
	Swing  int64  `json:"swing,omitempty"`  // of a saw: bytes between its lowest and its highest
	Cycles int    `json:"cycles,omitempty"` // of a saw: how often it went up and came down
}

// Form is the name of a course.
type Form string

// The values of Form.
const (
	FormLine      Form = "line"      // it grew by about the same all the time
	FormStep      Form = "step"      // all of it came within a twentieth of the time
	FormSaw       Form = "saw"       // it came and went, again and again
	FormFall      Form = "fall"      // more went than came
	FormNone      Form = "none"      // nothing came and nothing went
	FormIrregular Form = "irregular" // none of these
)

// grown returns how x has grown between two times. least is the smallest ratio of its swing to its net growth for
// which its course is a saw.
func (x *growing) grown(from, until int64, least int64) Grown {
	j := Grown{Came: x.came, Went: x.went, Net: x.came - x.went}
	var at int64
	for _, n := range x.points {
		at += n
		j.Points = append(j.Points, at)
	}
	j.Course = x.course(j.Points, from, until, least)
	span := until - from
	if j.Course.Form == FormLine {
		span = until - x.first
	}
	if span > 0 && j.Course.Form != FormStep {
		const hour = 3600e9
		j.PerHour = ptr(int64(float64(j.Net) / float64(span) * hour))
	}
	return j
}

// course says which shape x has.
func (x *growing) course(list []int64, from, until, least int64) Course {
	const (
		leastTimes  = 5    // least number of mapping calls for a line
		leastCycles = 3    // least number of cycles for a saw
		straight    = 0.95 // R² of a line
		sudden      = 20   // a step takes at most this fraction (1/20) of the time
	)
	net := x.came - x.went
	switch {
	case x.came == 0 && x.went == 0:
		return Course{Form: FormNone}
	case x.cycles >= leastCycles && x.went*2 >= x.came && max(net, -net)*least <= x.high-x.low:
		return Course{Form: FormSaw, Swing: x.high - x.low, Cycles: x.cycles}
	case net < 0:
		return Course{Form: FormFall}
	case x.last-x.first <= (until-from)/sudden:
		return Course{Form: FormStep, T: ptr(x.first)}
	case x.times < leastTimes || net == 0:
		return Course{Form: FormIrregular}
	}
	begin := 0
	if span := until - from; span > 0 {
		begin = int(min(max(x.first-from, 0)*points/span, points-1))
	}
	if rest := list[begin:]; len(rest) >= 4 && rSquared(rest) >= straight {
		return Course{Form: FormLine, T: ptr(x.first)}
	}
	return Course{Form: FormIrregular}
}

// rSquared returns the coefficient of determination R² of a line through points at equal distances: 1 if it passes
// through all of them.
func rSquared(list []int64) float64 {
	n := float64(len(list))
	var sx, sy, sxx, sxy, syy float64
	for i, v := range list {
		x, y := float64(i), float64(v)
		sx, sy, sxx, sxy, syy = sx+x, sy+y, sxx+x*x, sxy+x*y, syy+y*y
	}
	dx, dy := n*sxx-sx*sx, n*syy-sy*sy
	if dx <= 0 || dy <= 0 {
		return 0
	}
	c := n*sxy - sx*sy
	return c * c / (dx * dy)
}
