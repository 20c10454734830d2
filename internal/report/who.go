package report

import (
	"strconv"

	"github.com/vmblame/vmblame/internal/ledger"
)

// who is the chain of calls that made x be mapped in p, or words where none did. Where no event made x,
// p may be nil.
func (s *Scene) who(p *process, x *piece) chain {
	words := func(text string) chain { return chain{calls: []string{text}, keep: 1} }
	switch x.Origin.Cause {
	case ledger.Kernel:
		return words("the kernel, at exec")
	case ledger.StackGrowth:
		return words("the kernel: stack growth")
	case ledger.Drift:
		return words("no traced call (drift)")
	case ledger.BeforeAttach:
		return words("before attach")
	}
	if x.maker == nil {
		return words("?")
	}
	if x.maker.Stack == 0 {
		return words(x.maker.Call + " (no stack)")
	}
	return s.chain(x.maker.Stack, p.Exe)
}

// chain is names.chain, made once for each stack.
func (s *Scene) chain(stack int, exe string) chain {
	k := chainKey{stack, exe}
	c, ok := s.chains[k]
	if !ok {
		c = s.names.chain(stack, exe)
		s.chains[k] = c
	}
	return c
}

// thread names the thread of an event: "9838 worker".
func (s *Scene) thread(tid int, t int64) string {
	if n := s.lives.name(tid, t); n != "" {
		return strconv.Itoa(tid) + " " + n
	}
	return strconv.Itoa(tid)
}
