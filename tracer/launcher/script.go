package launcher

import (
	"cmp"
	"math/bits"
	"syscall"
	"unsafe"
)

// A script is the list of system calls by which the helper becomes the program, as it is sent: eight-byte numbers in
// native byte order. First its length in bytes, how many pointers it has, and where each of them stands, as an offset
// from the beginning; a pointer is an offset too, until the helper has added where it has put the script. Then come the
// steps, the last of which is execve(2), and then what they point to.
type script struct {
	steps    []step
	data     []byte
	pointers []place // pointers within the data
}

// step is one system call, and what to do when it has returned.
type step struct {
	number    uint64
	arguments [6]uint64
	places    uint8  // bit N: argument N is a place
	result    place  // where to put it, 0 if nobody asks
	skip      uint64 // bytes of steps, if it succeeds
	tolerated uint64 // the errno with which to go on, anyError
	fails     Step   // what to tell of another error
}

const (
	wordSize = 8
	stepSize = 11 * wordSize
	anyError = ^uint64(0)
)

// place is an offset into the data.
type place uint64

// put adds bytes to the data, aligned for any type.
func (s *script) put(p []byte) place {
	for len(s.data)%16 != 0 {
		s.data = append(s.data, 0)
	}
	at := place(len(s.data))
	s.data = append(s.data, p...)
	return at
}

func (s *script) text(t string) place { return s.put(append([]byte(t), 0)) }

func (s *script) words(w ...uint64) place {
	var b []byte
	for _, v := range w {
		b = appendWord(b, v)
	}
	return s.put(b)
}

// texts puts a list of strings as execve(2) takes it.
func (s *script) texts(list []string) place {
	var w []uint64
	for _, t := range list {
		w = append(w, uint64(s.text(t)))
	}
	at := s.words(append(w, 0)...)
	for i := range list {
		s.pointers = append(s.pointers, at+place(i*wordSize))
	}
	return at
}

// call adds a step. An argument is an int, a uint64 or a place. An error that is not tolerated ends the helper.
func (s *script) call(fails Step, tolerated uint64, number uintptr, arguments ...any) *step {
	st := step{number: uint64(number), tolerated: tolerated, fails: fails}
	for i, a := range arguments {
		switch a := a.(type) {
		case place:
			st.arguments[i] = uint64(a)
			st.places |= 1 << i
		case uint64:
			st.arguments[i] = a
		case int:
			st.arguments[i] = uint64(a)
		}
	}
	s.steps = append(s.steps, st)
	return &s.steps[len(s.steps)-1]
}

// encode returns s as it is sent.
func (s *script) encode() []byte {
	nowhere := s.words(0) // for results that nobody asks for
	count := len(s.pointers)
	for i := range s.steps {
		count += 1 + bits.OnesCount8(s.steps[i].places) // the result's, and the arguments'
	}
	begin := uint64(2+count) * wordSize
	data := (begin + uint64(len(s.steps))*stepSize + 15) &^ 15
	var pointers []uint64
	var body []byte
	for _, st := range s.steps {
		point := func(to uint64) {
			pointers = append(pointers, begin+uint64(len(body)))
			body = appendWord(body, data+to)
		}
		body = appendWord(body, st.number)
		for i, a := range st.arguments {
			if st.places>>i&1 != 0 {
				point(a)
			} else {
				body = appendWord(body, a)
			}
		}
		point(uint64(cmp.Or(st.result, nowhere)))
		for _, w := range []uint64{st.skip, st.tolerated, uint64(st.fails)} {
			body = appendWord(body, w)
		}
	}
	for _, p := range s.pointers {
		word := (*uint64)(unsafe.Pointer(&s.data[p]))
		*word += data
		pointers = append(pointers, data+uint64(p))
	}
	out := appendWord(nil, data+uint64(len(s.data)))
	out = appendWord(out, uint64(len(pointers)))
	for _, p := range pointers {
		out = appendWord(out, p)
	}
	out = append(out, body...)
	for uint64(len(out)) < data {
		out = append(out, 0)
	}
	return append(out, s.data...)
}

func appendWord(b []byte, v uint64) []byte {
	return append(b, unsafe.Slice((*byte)(unsafe.Pointer(&v)), wordSize)...)
}

// perform does what vmblame_helper of entry_amd64.s does, in an executable that was linked without it. It returns only if a
// step fails.
func perform(b []byte, status int) {
	word := func(at uint64) *uint64 { return (*uint64)(unsafe.Pointer(&b[at])) }
	base := uint64(uintptr(unsafe.Pointer(&b[0])))
	count := *word(wordSize)
	for i := range count {
		*word(*word((2 + i) * wordSize)) += base
	}
	for at := (2 + count) * wordSize; ; at += stepSize {
		w := func(i uint64) uint64 { return *word(at + i*wordSize) }
		r, _, e := syscall.RawSyscall6(uintptr(w(0)), uintptr(w(1)), uintptr(w(2)), uintptr(w(3)), uintptr(w(4)), uintptr(w(5)), uintptr(w(6)))
		*word(w(7) - base) = uint64(r)
		switch {
		case e == 0:
			at += w(8)
		case w(9) != anyError && w(9) != uint64(e):
			tell(status, Step(w(10)), uint64(e))
			return
		}
	}
}
