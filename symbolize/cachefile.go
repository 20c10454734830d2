package symbolize

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"maps"
	"slices"

	"github.com/vmblame/vmblame/internal/elffile"
)

// A file of names is a line that says what it is, the key that its names depend on, a CRC of the rest, and an entry for
// each address: the address, the number of frames (0 for an address without a name), what knew it, whether it is
// approximate, and each frame. Numbers are LEB128; a string is written where it first occurs, as 0, its length and its
// bytes, and later as its number, counted from 1.

const namesMagic = "vmblame names 2\n"

// encodeNames encodes names in ascending order of address, as many as fit into most bytes.
func encodeNames(names map[uint64]Symbol, key [sha256.Size]byte, most int) []byte {
	b := append([]byte(namesMagic), key[:]...)
	b = append(b, 0, 0, 0, 0) // the CRC
	numbers := make(map[string]uint64)
	text := func(s string) {
		if n, ok := numbers[s]; ok {
			b = binary.AppendUvarint(b, n)
			return
		}
		numbers[s] = uint64(len(numbers) + 1)
		b = append(binary.AppendUvarint(append(b, 0), uint64(len(s))), s...)
	}
	number := func(v uint64) { b = binary.AppendUvarint(b, v) }
	flag := func(f bool) {
		if f {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
	}
	for _, a := range slices.Sorted(maps.Keys(names)) {
		before := len(b)
		s := names[a]
		number(a)
		number(uint64(len(s.Frames)))
		if len(s.Frames) > 0 {
			text(s.Source)
			flag(s.Approximate)
		}
		for _, f := range s.Frames {
			text(f.Function)
			text(f.LinkageName)
			number(f.Start)
			text(f.File)
			number(uint64(f.Line))
			text(f.Unit)
			flag(f.Inlined)
		}
		if len(b) > most {
			b = b[:before]
			break
		}
	}
	return sealed(b)
}

// sealed puts the CRC into a file of names.
func sealed(b []byte) []byte {
	const begin = len(namesMagic) + sha256.Size + 4
	binary.LittleEndian.PutUint32(b[begin-4:], crc32.ChecksumIEEE(b[begin:]))
	return b
}

// decodeNames decodes what encodeNames wrote with the same key. Anything else yields no names.
func decodeNames(b []byte, key [sha256.Size]byte) map[uint64]Symbol {
	names := make(map[uint64]Symbol)
	c := elffile.CursorOver(b)
	if !bytes.Equal(c.Bytes(len(namesMagic)), []byte(namesMagic)) || !bytes.Equal(c.Bytes(len(key)), key[:]) {
		return names
	}
	if sum := c.U32(); c.Bad() || sum != crc32.ChecksumIEEE(b[c.Pos():]) {
		return names
	}
	var strings []string
	text := func() string {
		n := c.Uleb()
		switch {
		case n > uint64(len(strings)):
			c.Fail()
		case n > 0:
			return strings[n-1]
		default:
			size := c.Uleb()
			if size > uint64(c.Len()) {
				c.Fail()
				break
			}
			strings = append(strings, string(c.Bytes(int(size))))
			return strings[len(strings)-1]
		}
		return ""
	}
	for c.More() {
		a, n := c.Uleb(), c.Uleb()
		if n > uint64(c.Len()) {
			c.Fail()
		}
		var s Symbol
		if n > 0 {
			s.Source, s.Approximate = text(), c.U8() != 0
		}
		for ; n > 0 && !c.Bad(); n-- {
			s.Frames = append(s.Frames, Frame{Function: text(), LinkageName: text(), Start: c.Uleb(), File: text(),
				Line: int(c.Uleb()), Unit: text(), Inlined: c.U8() != 0})
		}
		if c.Bad() {
			return make(map[uint64]Symbol)
		}
		names[a] = s
	}
	return names
}
