package eventlog

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"
)

// jsonv2 is set where the benchmarks are built with GOEXPERIMENT=jsonv2.
var jsonv2 struct {
	marshal   func(any) ([]byte, error)
	unmarshal func([]byte, any) error
}

// BenchmarkAlternativeEncode writes the most frequent record, an event, by our codec and by encoding/json: the tracing
// thread's side of the log.
func BenchmarkAlternativeEncode(b *testing.B) {
	e := hotEvent()
	run := func(name string, encode func() []byte) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(encode())))
			b.ReportAllocs()
			for b.Loop() {
				encode()
			}
		})
	}
	buf := []byte(nil)
	run("eventlog", func() []byte { buf = AppendRecord(buf[:0], e); return buf })
	by := func(marshal func(any) ([]byte, error)) func() []byte {
		return func() []byte {
			line, err := marshal(e)
			if err != nil {
				b.Fatal(err)
			}
			return line
		}
	}
	run("encoding-json", by(json.Marshal))
	if jsonv2.marshal != nil {
		run("encoding-json-v2", by(jsonv2.marshal))
	}
}

// BenchmarkAlternativeRead reads a log of 100,000 events, each line by our reader, and by encoding/json into the same
// structs: what everybody waits for who reads a log.
func BenchmarkAlternativeRead(b *testing.B) {
	log := repeated(100000)
	run := func(name string, read func() int) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(log)))
			b.ReportAllocs()
			for b.Loop() {
				if n := read(); n < 100000 {
					b.Fatalf("%d events", n)
				}
			}
		})
	}
	run("eventlog", func() (n int) {
		r, err := NewReader(bytes.NewReader(log))
		if err != nil {
			b.Fatal(err)
		}
		for {
			rec, err := r.Next()
			if err == io.EOF {
				return n
			}
			if err != nil {
				b.Fatal(err)
			}
			if _, ok := rec.(*Event); ok {
				n++
			}
		}
	})
	by := func(unmarshal func([]byte, any) error) func() int {
		return func() (n int) {
			var e Event
			for line := range bytes.Lines(log) {
				if !bytes.HasPrefix(line, []byte(`{"type":"event"`)) {
					continue
				}
				e = Event{}
				if err := unmarshal(line, &e); err != nil {
					b.Fatal(err)
				}
				n++
			}
			return n
		}
	}
	run("encoding-json", by(json.Unmarshal))
	if jsonv2.unmarshal != nil {
		run("encoding-json-v2", by(jsonv2.unmarshal))
	}
}
