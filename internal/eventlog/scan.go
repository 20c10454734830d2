package eventlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// maxDepth bounds the nesting of values that are skipped, so that a hostile line cannot exhaust the stack.
const maxDepth = 1000

var (
	errSyntax   = errors.New("not JSON")
	errRange    = errors.New("number out of range")
	errDeep     = errors.New("nested too deeply")
	errMany     = errors.New("more than there is room for")
	errTrailing = errors.New("something stands behind the value")
)

const (
	// shortestMapping is less than the length of any mapping or change in a log, in bytes:
	// {"start":"0x1000","end":"0x2000", "perms":"r--p","offset":0,"dev":"00:00","inode":0,"path":"","origin":1}.
	// Shorter ones would take much more memory than their line.
	shortestMapping = 80
	shortestAttr    = 56 // {"perms":"r--p","offset":0,"dev":"00:00","inode":0,"path":"","origin":1}
	mostArguments   = 1 << 20
)

// decoder reads JSON values from b, one after the other. Its first error sticks, and later reads yield zero values,
// so callers check err once, at the end.
type decoder struct {
	b   []byte
	i   int // next byte
	err error

	words words
	parts parts
	attrs lastAttrs
}

func (d *decoder) reset(b []byte) { d.b, d.i, d.err = b, 0, nil }

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = fmt.Errorf("byte %d: %w", d.i+1, err)
	}
	d.i = len(d.b)
}

// finish returns the error, or one if anything but white space follows.
func (d *decoder) finish() error {
	if d.peek() != 0 || d.i < len(d.b) {
		d.fail(errTrailing)
	}
	return d.err
}

// peek skips white space and returns the next byte, 0 at the end.
func (d *decoder) peek() byte {
	for ; d.i < len(d.b); d.i++ {
		switch c := d.b[d.i]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// take consumes c and reports whether it was next.
func (d *decoder) take(c byte) bool {
	if d.peek() == c && d.i < len(d.b) {
		d.i++
		return true
	}
	return false
}

// literal consumes s and reports whether it was next.
func (d *decoder) literal(s string) bool {
	d.peek()
	if len(d.b)-d.i >= len(s) && string(d.b[d.i:d.i+len(s)]) == s {
		d.i += len(s)
		return true
	}
	return false
}

// null consumes null and reports whether it was next. Fields that are null read as their zero value, as in
// encoding/json.
func (d *decoder) null() bool { return d.peek() == 'n' && d.literal("null") }

// object begins an object; the loop is: for d.object(); d.key(&k); { switch string(k) … }.
func (d *decoder) object() {
	if !d.take('{') {
		d.fail(errSyntax)
	}
}

// key reads the next key of an object and its colon, or the object's end. It reports whether it read a key, which is
// valid until the decoder's input changes.
func (d *decoder) key(k *[]byte) bool {
	c := d.peek()
	if c == '}' {
		d.i++
		return false
	}
	// After "{" there is no comma, after a value there is one: the last byte before the white space tells which.
	if c == ',' {
		if d.before() == '{' {
			d.fail(errSyntax)
			return false
		}
		d.i++
		c = d.peek()
	} else if d.before() != '{' {
		d.fail(errSyntax)
		return false
	}
	if c != '"' {
		d.fail(errSyntax)
		return false
	}
	*k = d.text()
	if !d.take(':') {
		d.fail(errSyntax)
		return false
	}
	return d.err == nil
}

// array begins an array; the loop is: for d.array(); d.element(); { … }.
func (d *decoder) array() {
	if !d.take('[') {
		d.fail(errSyntax)
	}
}

// element reports whether another element follows, and moves to it.
func (d *decoder) element() bool {
	c := d.peek()
	if c == ']' {
		if d.before() == ',' {
			d.fail(errSyntax)
			return false
		}
		d.i++
		return false
	}
	if c == ',' {
		if d.before() == '[' {
			d.fail(errSyntax)
			return false
		}
		d.i++
		if c = d.peek(); c == ']' {
			d.fail(errSyntax)
			return false
		}
	} else if d.before() != '[' {
		d.fail(errSyntax)
		return false
	}
	if d.i >= len(d.b) {
		d.fail(errSyntax)
	}
	return d.err == nil
}

// room reports whether the line can hold more than n such elements, and fails the decoder if not.
func (d *decoder) room(n, bytes int) bool { return d.atMost(n, len(d.b)/bytes) }

// elements is how many mappings or changes a line of vmblame's own has, so that memory for them is allocated once.
func (d *decoder) elements() int {
	if len(d.b) < 4096 {
		return 0
	}
	return min(bytes.Count(d.b, []byte(`{"start":`)), len(d.b)/shortestMapping)
}

// atMost reports whether n is at most most; if not, decoding fails.
func (d *decoder) atMost(n, most int) bool {
	if n > most {
		d.fail(errMany)
	}
	return n <= most
}

// before returns the last byte before the current position that is not white space.
func (d *decoder) before() byte {
	for i := d.i - 1; i >= 0; i-- {
		switch c := d.b[i]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// text reads a string. The bytes belong to the input where nothing in them is escaped.
func (d *decoder) text() []byte {
	if !d.take('"') {
		d.fail(errSyntax)
		return nil
	}
	start := d.i
	for ; d.i < len(d.b); d.i++ {
		c := d.b[d.i]
		if c == '"' {
			s := d.b[start:d.i]
			d.i++
			return s
		}
		if c == '\\' || c < ' ' || c >= 0x80 {
			return d.escapedText(start)
		}
	}
	d.fail(errSyntax)
	return nil
}

// escapedText continues text at the first byte that is not plain; the string began at start.
func (d *decoder) escapedText(start int) []byte {
	for ; d.i < len(d.b); d.i++ {
		switch c := d.b[d.i]; {
		case c == '\\':
			d.i++
		case c == '"':
			d.i++
			var s string
			if json.Unmarshal(d.b[start-1:d.i], &s) != nil {
				d.i = start - 1
				d.fail(errSyntax)
				return nil
			}
			if bytes.Contains(bytes.ToLower(d.b[start:d.i]), []byte(lone)) {
				return unescape(d.b[start : d.i-1])
			}
			return []byte(s)
		}
	}
	d.i = start - 1
	d.fail(errSyntax)
	return nil
}

// number reads an integer: its magnitude and sign.
func (d *decoder) number() (v uint64, negative bool) {
	if d.take('-') {
		negative = true
	}
	start := d.i
	for ; d.i < len(d.b); d.i++ {
		c := d.b[d.i] - '0'
		if c > 9 {
			break
		}
		if v > (1<<64-1)/10 || v*10 > 1<<64-1-uint64(c) {
			d.fail(errRange)
			return 0, false
		}
		v = v*10 + uint64(c)
	}
	switch n := d.i - start; {
	case n == 0, n > 1 && d.b[start] == '0':
		d.fail(errSyntax)
	case d.i < len(d.b) && (d.b[d.i] == '.' || d.b[d.i]|0x20 == 'e'):
		d.fail(errors.New("a whole number is wanted"))
	}
	return v, negative
}

func (d *decoder) uint64(p *uint64) {
	if d.null() {
		return
	}
	v, negative := d.number()
	if negative && v != 0 {
		d.fail(errRange)
	}
	*p = v
}

func (d *decoder) int64(p *int64) {
	if d.null() {
		return
	}
	v, negative := d.number()
	switch {
	case negative && v <= 1<<63:
		*p = -int64(v)
	case !negative && v < 1<<63:
		*p = int64(v)
	default:
		d.fail(errRange)
	}
}

func (d *decoder) int(p *int) {
	v := int64(*p)
	d.int64(&v)
	*p = int(v)
}

func (d *decoder) bool(p *bool) {
	switch {
	case d.literal("true"):
		*p = true
	case d.literal("false"):
		*p = false
	case d.null():
	default:
		d.fail(errSyntax)
	}
}

func (d *decoder) hex(p *Hex) {
	if d.null() {
		return
	}
	v, ok := parseHex(d.text())
	if !ok {
		d.fail(errHex)
	}
	*p = v
}

func (d *decoder) string(p *string) {
	if d.null() {
		return
	}
	*p = d.words.get(d.text())
}

// skip reads a value of any kind and discards it.
func (d *decoder) skip() { d.skipNested(0) }

func (d *decoder) skipNested(depth int) {
	if depth > maxDepth {
		d.fail(errDeep)
		return
	}
	switch c := d.peek(); c {
	case '{':
		var k []byte
		for d.object(); d.key(&k); {
			d.skipNested(depth + 1)
		}
	case '[':
		for d.array(); d.element(); {
			d.skipNested(depth + 1)
		}
	case '"':
		d.text()
	case 't', 'f', 'n':
		if !d.literal("true") && !d.literal("false") && !d.literal("null") {
			d.fail(errSyntax)
		}
	default:
		start := d.i
		for d.i < len(d.b) && isNumberByte(d.b[d.i]) {
			d.i++
		}
		n := d.b[start:d.i]
		if _, err := strconv.ParseFloat(string(n), 64); len(n) == 0 || err != nil && !errors.Is(err, strconv.ErrRange) || !json.Valid(n) {
			d.fail(errSyntax)
		}
	}
}

// isNumberByte reports whether c can be part of a JSON number.
func isNumberByte(c byte) bool {
	return '0' <= c && c <= '9' || c == '-' || c == '+' || c == '.' || c|0x20 == 'e'
}
