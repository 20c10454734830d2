package eventlog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/vmblame/vmblame/internal/testenv"
)

// records returns one empty record of each type.
func emptyRecords() []Record {
	return []Record{&Header{}, &Space{}, &Thread{}, &Module{}, &Stack{}, &Event{}, &Origin{}, &Advice{}, &Drift{}, &Symbol{}, &Snapshot{}, &Content{}, &Note{}, &End{}}
}

// fill sets v and everything below it to random values. Slices are never nil.
func fill(rng *rand.Rand, v reflect.Value, text func() string) {
	switch v.Kind() {
	case reflect.Pointer:
		if rng.IntN(2) == 0 {
			v.SetZero()
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		fill(rng, v.Elem(), text)
	case reflect.Struct:
		if a, ok := v.Addr().Interface().(*Arg); ok {
			a.Name = text()
			switch rng.IntN(3) {
			case 0:
				a.Text = "t" + text()
			case 1:
				a.Address = true
				fallthrough
			default:
				a.Value = int64(rng.Uint64())
			}
			return
		}
		for i := range v.NumField() {
			fill(rng, v.Field(i), text)
		}
	case reflect.Slice:
		n := rng.IntN(4)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(rng, v.Index(i), text)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range rng.IntN(4) {
			e := reflect.New(v.Type().Elem()).Elem()
			fill(rng, e, text)
			v.SetMapIndex(reflect.ValueOf(text()), e)
		}
	case reflect.String:
		v.SetString(text())
	case reflect.Bool:
		v.SetBool(rng.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(rng.Uint64()) >> rng.IntN(64))
	case reflect.Uint64:
		v.SetUint(rng.Uint64() >> rng.IntN(64))
	default:
		panic(v.Type())
	}
}

// anyText returns strings with everything in them that JSON treats specially, bytes that are no UTF-8 too.
func anyText(rng *rand.Rand) func() string {
	return func() string {
		pieces := []string{"", "rw-p", "/usr/lib/libc.so.6", "[heap]", "\"", "\\", "<&>", "\n\t\r\b\f", "\x00\x1f\x7f", "ü€𝄞", "\u2028\u2029", "\xff\xc3", "\xed\xa0\x80", "\ufffd", " (deleted)"}
		s := ""
		for range rng.IntN(4) {
			s += pieces[rng.IntN(len(pieces))]
		}
		return s
	}
}

// plainText returns strings that come back as they went.
func plainText(rng *rand.Rand) func() string {
	return func() string {
		pieces := []string{"", "mmap", "/a/b c", "<&>\"\\\n", "ü€𝄞", "\u2028", "0x", "0x0", "{}", "[{,]}:"}
		return pieces[rng.IntN(len(pieces))] + pieces[rng.IntN(len(pieces))]
	}
}

// reference is the line as encoding/json would write it.
func reference(t *testing.T, r Record) string {
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"type":%q,%s`+"\n", r.Type(), b[1:])
}

// foreign is a line as encoding/json would have it: the escapes of bytes that are no UTF-8 are \ufffd.
func foreign(line []byte) string {
	line = bytes.Clone(line)
	for i := 0; i+6 <= len(line); i++ {
		if line[i] == '\\' {
			if string(line[i:i+4]) == lone {
				copy(line[i:], `\ufffd`)
			}
			i++
		}
	}
	return string(line)
}

func TestAppendRecordEqualsEncodingJSON(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range testenv.Often(1000, 3000) {
		for _, r := range emptyRecords() {
			fill(rng, reflect.ValueOf(r).Elem(), anyText(rng))
			got, want := foreign(AppendRecord([]byte("x"), r)[1:]), foreign([]byte(reference(t, r)))
			if got != want {
				t.Fatalf("%s:\ngot  %swant %s", r.Type(), got, want)
			}
		}
	}
}

func TestAppendRecordEveryRune(t *testing.T) {
	for c := rune(0); c < 0x3000; c++ {
		n := &Event{Call: string([]byte{byte(c)}) + string(c), Args: Args{}, Changes: []Change{}}
		if got, want := foreign(AppendRecord(nil, n)), reference(t, n); got != want {
			t.Fatalf("%U: got %s, want %s", c, got, want)
		}
	}
}

func TestAppendRecordAbsentLists(t *testing.T) {
	want := map[string]string{
		"header":   `{"type":"header","format":"","version":0,"tool":"","mode":"","command":[],"started":"","host":{"kernel":"","arch":"","page_size":0,"cpus":0,"hostname":""},"environment":{}}`,
		"space":    `{"type":"space","space":0,"t":0,"after":0,"pid":0,"cause":"","parent":null,"exe":"","argv":[],"mappings":[]}`,
		"stack":    `{"type":"stack","stack":0,"frames":[],"complete":false,"end":""}`,
		"event":    `{"type":"event","seq":0,"t":0,"space":0,"pid":0,"tid":0,"call":"","args":{},"stack":null,"changes":[]}`,
		"drift":    `{"type":"drift","t":0,"after":0,"space":0,"changes":[],"guess":""}`,
		"symbol":   `{"type":"symbol","module":0,"offset":"0x0","frames":[],"source":""}`,
		"snapshot": `{"type":"snapshot","t":0,"after":0,"space":0,"cause":"","mappings":[]}`,
		"module":   `{"type":"module","module":0,"path":"","build_id":null,"dev":"","inode":0}`,
		"end":      `{"type":"end","t":0,"cause":"","exit":null,"events":0,"stacks":0,"checks":0,"drifts":0,"lost":0}`,
	}
	for _, r := range emptyRecords() {
		got := string(AppendRecord(nil, r))
		if w, ok := want[r.Type()]; ok && got != w+"\n" {
			t.Errorf("got  %swant %s", got, w)
		}
	}
}

func TestExecIsNullAtLaunch(t *testing.T) {
	launch, third := ExecSeq(0), ExecSeq(3)
	s := &Space{Mappings: []Mapping{
		{Attr: Attr{OriginCause: "kernel", Exec: &launch}},
		{Attr: Attr{OriginCause: "kernel", Exec: &third}},
		{Attr: Attr{OriginCause: "drift"}},
	}}
	line := AppendRecord(nil, s)
	for _, want := range []string{`"origin":null,"origin_cause":"kernel","exec":null}`, `"exec":3}`, `"origin_cause":"drift"}`} {
		if !bytes.Contains(line, []byte(want)) {
			t.Errorf("%s lacks %s", line, want)
		}
	}
	var d decoder
	r, err := d.decode(line)
	if err != nil {
		t.Fatal(err)
	}
	if m := r.(*Space).Mappings; m[0].Exec == nil || *m[0].Exec != 0 || *m[1].Exec != 3 || m[2].Exec != nil {
		t.Errorf("exec did not come back: %+v", m)
	}
}

func TestDecodeReturnsWhatWasWritten(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var d decoder
	for range testenv.Often(1000, 3000) {
		for _, r := range emptyRecords() {
			fill(rng, reflect.ValueOf(r).Elem(), plainText(rng))
			line := AppendRecord(nil, r)
			got, err := d.decode(line)
			if err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			if again := AppendRecord(nil, got); !bytes.Equal(again, line) {
				t.Fatalf("read back:\ngot  %swant %s", again, line)
			}
			// Indentation and the order of the fields say nothing.
			var indented bytes.Buffer
			if err := json.Indent(&indented, line, " ", "\t"); err != nil {
				t.Fatal(err)
			}
			if got, err = d.decode(indented.Bytes()); err != nil {
				t.Fatalf("%v: %s", err, indented.Bytes())
			}
			if again := AppendRecord(nil, got); !bytes.Equal(again, line) {
				t.Fatalf("read back indented:\ngot  %swant %s", again, line)
			}
		}
	}
}

// hotEvent is the mmap over live pages of the middle of a log: two changes, and numbers of usual length.
func hotEvent() *Event {
	o, stack := uint64(104731), 8813
	anon := &Attr{Perms: "rw-p", Dev: "00:00", Origin: &o}
	file := &Attr{Perms: "r-xp", Offset: 155648, Dev: "fe:00", Inode: 1311457, Path: "/usr/lib/x86_64-linux-gnu/libc.so.6", Origin: &o}
	return &Event{
		Seq: 104731, T: 8123456789, Space: 1, PID: 9817, TID: 9838, Call: "mmap",
		Args: Args{{Name: "addr", Value: 0x7ffff7cc5000, Address: true}, {Name: "length", Value: 1462272}, {Name: "prot", Value: 5},
			{Name: "flags", Value: 2066}, {Name: "fd", Value: 3}, {Name: "offset", Value: 155648}},
		Result: &Result{Value: 0x7ffff7cc5000, Address: true}, Stack: &stack,
		Changes: []Change{{0x7ffff7cc5000, 0x7ffff7e2a000, anon, nil}, {0x7ffff7cc5000, 0x7ffff7e2a000, nil, file}},
	}
}

func TestAppendAndDecodeEventDoNotAllocate(t *testing.T) {
	e := hotEvent()
	buf := AppendRecord(nil, e)
	line := bytes.Clone(buf)
	if n := testing.AllocsPerRun(100, func() { buf = AppendRecord(buf[:0], e) }); n != 0 {
		t.Errorf("AppendRecord of an event: %v allocations", n)
	}
	var d decoder
	if n := testing.AllocsPerRun(100, func() {
		if _, err := d.decode(line); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("decoding an event: %v allocations", n)
	}
}

func BenchmarkAppendEvent(b *testing.B) {
	e := hotEvent()
	buf := AppendRecord(nil, e)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendRecord(buf[:0], e)
	}
}

func BenchmarkDecodeEvent(b *testing.B) {
	line := AppendRecord(nil, hotEvent())
	var d decoder
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.decode(line); err != nil {
			b.Fatal(err)
		}
	}
}
