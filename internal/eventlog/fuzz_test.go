package eventlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// FuzzDecode: what the decoder takes is JSON, and what it understood is the same when it is written and
// read again.
func FuzzDecode(f *testing.F) {
	for line := range bytes.Lines(good(f)) {
		f.Add(line)
	}
	f.Add([]byte(`{ "seq" : 1 , "type" : "event" , "changes" : null , "x" : { "y" : [ 1.5e-3 , true , null , "\u00e9" ] } }`))
	var d, again decoder
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := d.decode(line)
		if err != nil {
			return
		}
		if !json.Valid(line) {
			t.Fatalf("%T taken from what is no JSON: %q", r, line)
		}
		if r == nil {
			return
		}
		first := AppendRecord(nil, r)
		if !json.Valid(first) || bytes.IndexByte(first, '\n') != len(first)-1 {
			t.Fatalf("written: %q", first)
		}
		r, err = again.decode(first)
		if err != nil {
			t.Fatalf("read back: %v: %q", err, first)
		}
		if second := AppendRecord(nil, r); !bytes.Equal(first, second) {
			t.Fatalf("first:  %ssecond: %s", first, second)
		}
	})
}

// FuzzString: strings are written as encoding/json writes them, and come back byte by byte.
func FuzzString(f *testing.F) {
	f.Add("/usr/lib/libc.so.6 <&> \"\\\x00\xff\u2028ü𝄞")
	f.Fuzz(func(t *testing.T, s string) {
		want, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		got := appendString(nil, s)
		if foreign(got) != string(want) {
			t.Fatalf("got %s, want %s", got, want)
		}
		d := decoder{b: got}
		if back := d.text(); d.err != nil || string(back) != s {
			t.Fatalf("%q came back as %q: %v", s, back, d.err)
		}
	})
}

// FuzzLog: reading, checking, replaying and exporting anything ends without a panic, and agree about
// whether it is a whole log.
func FuzzLog(f *testing.F) {
	log := good(f)
	f.Add(log)
	f.Add(log[:len(log)/2])
	var packed bytes.Buffer
	w := NewWriter(&packed, true)
	if err := w.Put(&Header{Format: "vmblame", Version: 1}); err != nil {
		f.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(packed.Bytes())
	for _, name := range []string{"swapped", "garbage", "unaligned", "fork-late", "second-header", "drift-late"} {
		b, err := os.ReadFile("testdata/broken/" + name + ".jsonl")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, log []byte) {
		r, err := NewReader(bytes.NewReader(log))
		if err != nil {
			return
		}
		defer r.Close()
		p := NewReplay()
		var end error
		for n := 0; end == nil; n++ {
			var rec Record
			if rec, end = r.Next(); end == nil {
				p.Put(rec)
			}
			if n > len(log)*1000 {
				t.Fatal("there is no end of records")
			}
		}
		problems := 0
		if err := Check(bytes.NewReader(log), func(Problem) { problems++ }); err != nil {
			t.Fatalf("Check: %v", err)
		}
		if end != io.EOF && problems == 0 {
			t.Fatalf("reading ends with %v, and Check finds nothing", end)
		}
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, log, 0o600); err != nil {
			t.Fatal(err)
		}
		var doc bytes.Buffer
		err = ExportJSON(opens(path), &doc)
		switch {
		case end == io.EOF && err != nil, end == ErrCut && !errors.Is(err, ErrCut):
			t.Fatalf("reading ends with %v, export with %v", end, err)
		case err == nil || errors.Is(err, ErrCut):
			if !json.Valid(doc.Bytes()) {
				t.Fatalf("exported: %s", doc.Bytes())
			}
		}
	})
}
