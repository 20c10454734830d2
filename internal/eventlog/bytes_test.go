package eventlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// names are paths as a kernel may show them.
var oddNames = []string{
	"/srv/caf\xe9", "\x80", "\xff\xfe", "a\xed\xb2\x80b", "\xf0\x9f\x92", "/ok/\U0001f480\xc3", "\ufffd", "\ufffd\xff\ufffd",
	`\udc80`, `\\ufffd` + "\xff", "\ufdd0\xff", "\ufdd080\x81", "a\x00\"\\\n\u2028<&>\x9f", "\xed\xa0\x80\xed\xb0\x80", "/ü\xfc",
}

// TestBytesReturn: every string of every record comes back byte by byte, and the line is JSON.
func TestBytesReturn(t *testing.T) {
	one := 1
	for _, name := range oddNames {
		mapping := Mapping{Start: 0x1000, End: 0x2000, Attr: Attr{Perms: "r--p", Dev: "00:00", Path: name, OriginCause: "before attach"}}
		value := name
		for _, r := range []Record{
			&Header{Format: "vmblame", Version: 1, Command: []string{"x", name, name}, Host: Host{Hostname: name}, Environment: Environment{"A": &value, "B": nil}},
			&Space{Space: 1, Exe: name, Argv: []string{name, name}, Mappings: []Mapping{mapping}},
			&Thread{TID: 1, Name: name},
			&Module{Module: 1, Path: name},
			&Event{Seq: 1, Call: "execve", Args: Args{{Name: "pathname", Text: name}}, Stack: &one, Changes: []Change{{Start: 0x1000, End: 0x2000, Now: &mapping.Attr}}},
			&Drift{Guess: "x", Changes: []Change{{Start: 0x1000, End: 0x2000, Was: &mapping.Attr}}},
			&Symbol{Module: 1, Frames: []SymbolFrame{{Function: name, File: name}, {Function: "f"}}, Source: "dwarf"},
			&Snapshot{Mappings: []SnapshotMapping{{Mapping: mapping, AnonName: name}}},
			&Note{Level: "info", Code: "x", Text: name},
		} {
			line := AppendRecord(nil, r)
			if !json.Valid(line) {
				t.Errorf("%q: no JSON: %s", name, line)
			}
			got, err := new(decoder).decode(line)
			if err != nil || !reflect.DeepEqual(got, r) {
				t.Errorf("%q: %v\nput %+v\ngot %+v\n%s", name, err, r, got, line)
			}
		}
	}
}

// TestLongLines: a line is read to its bound, whatever it begins with.
func TestLongLines(t *testing.T) {
	if n := lineLimit([]byte(`{"type":"space","x`)); n != longestLine {
		t.Errorf("a space may have %d bytes", n)
	}
	if n := lineLimit([]byte(`{"type":"spaces","x`)); n != longestOther {
		t.Errorf("others may have %d bytes", n)
	}
	log := string(AppendRecord(nil, &Header{Format: "vmblame", Version: 1})) + `{"type":"note","text":"` + strings.Repeat("x", longestOther+readBuffer) + `"}` + "\n"
	r, err := NewReader(strings.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	_, err = r.Next()
	var line *LineError
	if !errors.As(err, &line) || line.Line != 2 || !errors.Is(err, errLong) {
		t.Errorf("a long line: %v", err)
	}
}

// TestManyElements: what is short in the line and long in memory is refused.
func TestManyElements(t *testing.T) {
	for _, line := range []string{
		`{"type":"space","mappings":[` + strings.Repeat("{},", 1000) + `{}]}`,
		`{"type":"snapshot","mappings":[` + strings.Repeat("{},", 1000) + `{}]}`,
		`{"type":"event","changes":[` + strings.Repeat("{},", 1000) + `{}]}`,
		`{"type":"drift","changes":[` + strings.Repeat("{},", 1000) + `{}]}`,
		`{"type":"space","argv":[` + strings.Repeat(`"",`, mostArguments+1) + `""]}`,
		`{"type":"event","args":{` + strings.Repeat(`"":1,`, mostArguments+1) + `"":1}}`,
	} {
		if _, err := new(decoder).decode([]byte(line)); !errors.Is(err, errMany) {
			t.Errorf("%.40s…: %v", line, err)
		}
	}
	var d decoder
	if _, err := d.decode([]byte(`{"type":"event","changes":[{` + strings.Repeat(`"now":{},`, 10000) + `"now":{}}]}`)); err != nil || len(d.parts.attrs) != 1 {
		t.Errorf("a key many times: %v, %d kept", err, len(d.parts.attrs))
	}
	whole := AppendRecord(nil, &Space{Space: 1, Mappings: make([]Mapping, 5000)})
	if _, err := d.decode(bytes.TrimSpace(whole)); err != nil {
		t.Errorf("the shortest mappings: %v", err)
	}
}
