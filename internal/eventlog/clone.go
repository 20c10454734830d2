package eventlog

func cloneChanges(changes []Change) []Change {
	list := make([]Change, len(changes))
	for i, c := range changes {
		list[i] = Change{c.Start, c.End, c.Was.clone(), c.Now.clone()}
	}
	return list
}

func (a *Attr) clone() *Attr {
	if a == nil {
		return nil
	}
	c := *a
	c.Origin = clonePointer(a.Origin)
	c.Exec = clonePointer(a.Exec)
	if m := clonePointer(a.MovedFrom); m != nil {
		m.Origin = clonePointer(m.Origin)
		c.MovedFrom = m
	}
	return &c
}

func clonePointer[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}
