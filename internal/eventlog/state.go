package eventlog

// Header returns the header, nil before it has been put.
func (p *Replay) Header() *Header { return p.header }

// End returns the end line, nil before it.
func (p *Replay) End() *End { return p.end }

// Seq is the seq of the last event, 0 before the first.
func (p *Replay) Seq() uint64 { return p.seq }

// T is the latest time of the records so far, in nanoseconds since the recording began.
func (p *Replay) T() int64 { return p.t }

// Spaces returns all address spaces in the order of their beginning, those that have ended too.
func (p *Replay) Spaces() []*SpaceState { return p.spaces }

// Space returns the address space with that id, nil where there is none.
func (p *Replay) Space(id int) *SpaceState { return p.byID[id] }

// Bytes is how much is mapped in all address spaces, in bytes. Spaces that have ended count: the log does
// not say when the last user of one is gone.
func (p *Replay) Bytes() uint64 {
	var n uint64
	for _, s := range p.spaces {
		n += s.Ledger.Bytes()
	}
	return n
}

// Threads returns the last record of every thread, in the order of their start.
func (p *Replay) Threads() []Thread { return p.threads }

// Thread returns the last record of the thread that has, or had last, this tid.
func (p *Replay) Thread(tid int) (Thread, bool) {
	i, ok := p.byTID[tid]
	if !ok {
		return Thread{}, false
	}
	return p.threads[i], true
}

// Module returns the module with that id, nil where there is none.
func (p *Replay) Module(id int) *Module { return p.modules[id] }

// Stack returns the call stack with that id. Its frames are appended to dst, which may be nil.
func (p *Replay) Stack(id int, dst []Frame) (Stack, bool) { return p.stacks.get(id, dst) }

// Stacks is how many call stacks have been put.
func (p *Replay) Stacks() int { return len(p.stacks.byID) }

// Symbol returns the names of a frame, nil where the log has none (yet).
func (p *Replay) Symbol(f Frame) *Symbol { return p.symbols[f.symbolKey()] }

// symbolKey is where the names of f are found: a return address names the call before it.
func (f Frame) symbolKey() symbolKey {
	k := symbolKey{f.Module, f.Offset}
	if f.Call {
		k.offset--
	}
	return k
}

// Notes returns all notes so far.
func (p *Replay) Notes() []Note { return p.notes }
