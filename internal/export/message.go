package export

import "encoding/binary"

// A message is one in the encoding of protocol buffers (protobuf.dev/programming-guides/encoding): fields, each with its
// number. Fields that are zero or empty are left out, as their absence means the same.
type message []byte

// The wire types.
const (
	wireVarint = 0
	wireBytes  = 2
)

func (m *message) tag(field, wire int) { *m = binary.AppendUvarint(*m, uint64(field)<<3|uint64(wire)) }

// uint appends a number; negative ones come as their two's complement, as in int64.
func (m *message) uint(field int, v uint64) {
	if v != 0 {
		m.number(field, v)
	}
}

// number is uint for fields whose absence means something else than 0.
func (m *message) number(field int, v uint64) {
	m.tag(field, wireVarint)
	*m = binary.AppendUvarint(*m, v)
}

// text appends a string, or bytes.
func (m *message) text(field int, s string) {
	if s != "" {
		m.tag(field, wireBytes)
		*m = binary.AppendUvarint(*m, uint64(len(s)))
		*m = append(*m, s...)
	}
}

// sub appends a message, even where it is empty.
func (m *message) sub(field int, o message) {
	m.tag(field, wireBytes)
	*m = binary.AppendUvarint(*m, uint64(len(o)))
	*m = append(*m, o...)
}

// packed appends a list of numbers.
func (m *message) packed(field int, list []uint64) {
	var o message
	for _, v := range list {
		o = binary.AppendUvarint(o, v)
	}
	if len(o) > 0 {
		m.sub(field, o)
	}
}
