package eventlog

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// The methods in this file define how the special types look in JSON. The hand-written encoder
// (append.go) and decoder (decode.go) do the same without reflection; tests hold them against each other.

// MarshalJSON writes h as "0x7ffff7a49000": lower case, no leading zeros.
func (h Hex) MarshalJSON() ([]byte, error) { return appendHex(nil, h), nil }

// String returns h as the log writes it, without the quotes.
func (h Hex) String() string { return "0x" + strconv.FormatUint(uint64(h), 16) }

// UnmarshalJSON reads what MarshalJSON writes.
func (h *Hex) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	v, ok := parseHex(s)
	if !ok {
		return fmt.Errorf("%q: %w", s, errHex)
	}
	*h = v
	return nil
}

var errHex = errors.New(`not an address (want "0x…")`)

// parseHex reads "0x…" with one to sixteen digits.
func parseHex[T string | []byte](s T) (Hex, bool) {
	if len(s) < 3 || len(s) > 18 || s[0] != '0' || s[1] != 'x' {
		return 0, false
	}
	var v uint64
	for i := 2; i < len(s); i++ {
		c := s[i]
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		v = v<<4 | uint64(c)
	}
	return Hex(v), true
}

// UnmarshalJSON reads an object of strings and nulls; values of other kinds are kept as their text.
func (e *Environment) UnmarshalJSON(b []byte) error {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(b, &values); err != nil {
		return err
	}
	*e = make(Environment, len(values))
	for name, raw := range values {
		var v *string
		if err := json.Unmarshal(raw, &v); err != nil {
			text := string(raw)
			v = &text
		}
		(*e)[name] = v
	}
	return nil
}

// MarshalJSON writes the seq, or null for 0.
func (e ExecSeq) MarshalJSON() ([]byte, error) { return appendExecSeq(nil, e), nil }

// MarshalJSON writes the arguments as one object, in order; no arguments are {}.
func (a Args) MarshalJSON() ([]byte, error) { return appendArgs(nil, a), nil }

// UnmarshalJSON reads an object of numbers and strings and keeps its order. A string in the form of an
// address becomes one; values that are neither number nor string are left out.
func (a *Args) UnmarshalJSON(b []byte) error {
	d := &decoder{b: b}
	*a = d.args()
	return d.finish()
}

// MarshalJSON writes the number, or the address as a string.
func (r Result) MarshalJSON() ([]byte, error) { return appendResult(nil, r), nil }

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Result) UnmarshalJSON(b []byte) error {
	d := &decoder{b: b}
	d.result(r)
	return d.finish()
}

// Get returns the argument called name.
func (a Args) Get(name string) (Arg, bool) {
	for i := range a {
		if a[i].Name == name {
			return a[i], true
		}
	}
	return Arg{}, false
}
