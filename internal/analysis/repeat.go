package analysis

// A program that maps and unmaps the same range a hundred thousand times would give its addresses a history of two
// hundred thousand lines. It is shown as the two lines and how often they repeat.

// Repeated is the word of a step that stands for further repetitions of the steps before it.
const Repeated = "repeated"

// longest is the largest number of steps in a sequence that is recognised as repeated.
const longest = 8

// add appends a step unless it repeats earlier ones; each keeps all of them.
func (c *watched) add(st Step, each bool) {
	if each {
		c.steps = append(c.steps, st)
		return
	}
	if n := len(c.steps) - 1; n >= c.fixed && (st.What == "split" || st.What == "grew") {
		if l := &c.steps[n]; l.What == st.What && l.call == st.call && l.TID == st.TID {
			// It keeps the start state of the first of them and the end state of the last.
			st.T, st.Event, st.PID, st.Times, st.Last = l.T, l.Event, l.PID, max(l.Times, 1)+1, ptr(st.T)
			*l = st
			return
		}
	}
	c.steps = append(c.steps, st)
	if !c.again() {
		c.fold()
	}
}

// again reports whether the last steps repeat once more the sequence of the repetition just before them; if so it
// counts them there.
func (c *watched) again() bool {
	n := len(c.steps)
	for k := 1; k <= longest && n-k-1 >= c.fixed; k++ {
		r := &c.steps[n-k-1]
		if r.What != Repeated {
			continue
		}
		if r.Steps != k || !same(c.steps[n-2*k-1:n-k-1], c.steps[n-k:]) {
			return false
		}
		r.Times++
		*r.Last = c.steps[n-1].T
		c.steps = c.steps[:n-k]
		return true
	}
	return false
}

// fold replaces the last steps by a repetition if the same sequence has occurred three times in a row.
func (c *watched) fold() {
	n := len(c.steps)
	for k := 1; k <= longest && n-3*k >= c.fixed; k++ {
		if !same(c.steps[n-2*k:n-k], c.steps[n-k:]) || !same(c.steps[n-3*k:n-2*k], c.steps[n-k:]) {
			continue
		}
		first := &c.steps[n-2*k]
		*first = Step{What: Repeated, Start: first.Start, End: first.End, T: first.T, Last: ptr(c.steps[n-1].T), Times: 2, Steps: k}
		c.steps = c.steps[:n-2*k+1]
		return
	}
}

// same reports whether two series of steps differ in nothing but their times. The last steps are compared
// first: there most series differ.
func same(a, b []Step) bool {
	for i := len(a) - 1; i >= 0; i-- {
		x, y := &a[i], &b[i]
		if x.What == Repeated || x.What != y.What || x.Start != y.Start || x.End != y.End || x.Stack != y.Stack || x.TID != y.TID || x.call != y.call ||
			x.Times != 0 || y.Times != 0 || x.Text != y.Text {
			return false
		}
	}
	return true
}
