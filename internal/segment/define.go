package segment

import "github.com/vmblame/vmblame/internal/eventlog"

// definitions are the lines of everything that others refer to by number, or by place.
type definitions struct {
	modules [][]byte // by module less one
	stacks  []stack  // by stack less one
	symbols map[eventlog.Place][]byte
}

type stack struct {
	line   []byte
	places []eventlog.Place // of its frames
}

func newDefinitions() definitions { return definitions{symbols: map[eventlog.Place][]byte{}} }

// at makes room for the definition with that number.
func at[T any](list *[]T, number int) *T {
	for len(*list) < number {
		var none T
		*list = append(*list, none)
	}
	return &(*list)[number-1]
}

func (d *definitions) module(r *eventlog.Module) {
	if r.Module > 0 {
		*at(&d.modules, r.Module) = eventlog.AppendRecord(nil, r)
	}
}

func (d *definitions) stack(r *eventlog.Stack) {
	if r.Stack <= 0 {
		return
	}
	s := stack{line: eventlog.AppendRecord(nil, r), places: make([]eventlog.Place, len(r.Frames))}
	for i := range r.Frames {
		s.places[i] = r.Frames[i].Place()
	}
	*at(&d.stacks, r.Stack) = s
}

func (d *definitions) symbol(r *eventlog.Symbol) {
	d.symbols[r.Place()] = eventlog.AppendRecord(nil, r)
}

// present is what the present segment has defined.
type present struct {
	modules, stacks map[int]bool
	places          map[eventlog.Place]bool // of its stacks' frames; true once they have been named
}

func newPresent() present {
	return present{modules: map[int]bool{}, stacks: map[int]bool{}, places: map[eventlog.Place]bool{}}
}

// define appends the line of a module unless the segment has it.
func (c *Cutter) define(dst []byte, module int) []byte {
	if module < 1 || module > len(c.known.modules) || c.here.modules[module] {
		return dst
	}
	c.here.modules[module] = true
	return append(dst, c.known.modules[module-1]...)
}

// tell appends the line of a stack unless the segment has it, its modules before it and the names of its frames
// behind.
func (c *Cutter) tell(dst []byte, number int) []byte {
	if number < 1 || number > len(c.known.stacks) || c.here.stacks[number] {
		return dst
	}
	c.here.stacks[number] = true
	s := &c.known.stacks[number-1]
	for _, p := range s.places {
		dst = c.define(dst, p.Module)
	}
	dst = append(dst, s.line...)
	for _, p := range s.places {
		if !c.here.places[p] {
			c.here.places[p] = false
		}
		dst = c.name(dst, p)
	}
	return dst
}

// name appends the symbol line of a place if its name is known, a stack in this segment contains the place, and the
// segment has no such line yet.
func (c *Cutter) name(dst []byte, p eventlog.Place) []byte {
	line, known := c.known.symbols[p]
	named, shown := c.here.places[p]
	if !known || !shown || named {
		return dst
	}
	c.here.places[p] = true
	return append(dst, line...)
}
