package report

// A program that maps and frees the same piece of memory a hundred thousand times gives its addresses a
// hundred thousand biographies of two lines. They are told as the two lines and how often they came again.

// repeated is the verb of a step that stands for many: those before it, once more and once more.
const repeated = "repeated"

// longest is how many steps may come again together.
const longest = 8

// add appends a step, unless it is one that comes again; each keeps every one.
func (c *chapter) add(h happening, each bool) {
	if each {
		c.steps = append(c.steps, h)
		return
	}
	if n := len(c.steps) - 1; n >= c.told && (h.verb == "split" || h.verb == "grew") {
		if l := &c.steps[n]; l.verb == h.verb && l.call == h.call && l.tid == h.tid {
			l.times++
			l.last, l.Range, l.what, l.stack, l.text = h.t, h.Range, h.what, h.stack, h.text
			return
		}
	}
	c.steps = append(c.steps, h)
	if !c.again() {
		c.fold()
	}
}

// again tells whether the last steps are once more those that a repetition right before them is about,
// which then counts them.
func (c *chapter) again() bool {
	n := len(c.steps)
	for k := 1; k <= longest && n-k-1 >= c.told; k++ {
		r := &c.steps[n-k-1]
		if r.verb != repeated {
			continue
		}
		if r.steps != k || !same(c.steps[n-2*k-1:n-k-1], c.steps[n-k:]) {
			return false
		}
		r.times++
		r.last = c.steps[n-1].t
		c.steps = c.steps[:n-k]
		return true
	}
	return false
}

// fold makes a repetition of the last steps where they have come three times in a row.
func (c *chapter) fold() {
	n := len(c.steps)
	for k := 1; k <= longest && n-3*k >= c.told; k++ {
		if !same(c.steps[n-2*k:n-k], c.steps[n-k:]) || !same(c.steps[n-3*k:n-2*k], c.steps[n-k:]) {
			continue
		}
		c.steps[n-2*k] = happening{verb: repeated, Range: c.steps[n-2*k].Range, t: c.steps[n-2*k].t, last: c.steps[n-1].t, times: 2, steps: k}
		c.steps = c.steps[:n-2*k+1]
		return
	}
}

// same tells whether two series of steps differ in nothing but their times. The last steps are compared
// first: there most series differ.
func same(a, b []happening) bool {
	for i := len(a) - 1; i >= 0; i-- {
		x, y := &a[i], &b[i]
		if x.verb == repeated || x.verb != y.verb || x.Range != y.Range || x.stack != y.stack || x.tid != y.tid || x.call != y.call || x.times != 0 || y.times != 0 || x.what != y.what {
			return false
		}
	}
	return true
}
