package eventlog

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/vmblame/vmblame/internal/testenv"
)

// readAll returns the lines of all records, as AppendRecord writes them, and the error at the end.
func readAll(r *Reader) ([]string, error) {
	var lines []string
	for {
		rec, err := r.Next()
		if err != nil {
			return lines, err
		}
		lines = append(lines, string(AppendRecord(nil, rec)))
	}
}

func good(t testing.TB) []byte {
	b, err := os.ReadFile("testdata/good.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReaderReturnsEveryLine(t *testing.T) {
	r, err := Open("testdata/good.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.Header().Mode != "run" {
		t.Errorf("header %+v", r.Header())
	}
	lines, err := readAll(r)
	if err != io.EOF {
		t.Fatal(err)
	}
	if got, want := strings.Join(lines, ""), string(good(t)); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("Next behind the end: %v", err)
	}
}

// TestReaderOfRecords: records that were never written are read as those of a log are.
func TestReaderOfRecords(t *testing.T) {
	from, err := Open("testdata/good.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	var records []Record
	for rec, err := from.Next(); err == nil; rec, err = from.Next() {
		if e, ok := rec.(*Event); ok {
			// It is valid until the next call.
			own := decoder{}
			if rec, err = own.decode(bytes.TrimSpace(AppendRecord(nil, e))); err != nil {
				t.Fatal(err)
			}
		}
		records = append(records, rec)
	}
	r := ReaderOf(records)
	defer r.Close()
	if r.Header() != records[0] {
		t.Errorf("header %+v", r.Header())
	}
	lines, err := readAll(r)
	var want []string
	for _, rec := range records {
		want = append(want, string(AppendRecord(nil, rec)))
	}
	if err != io.EOF || !slices.Equal(lines, want) || r.Line() != len(records) {
		t.Errorf("%d lines of %d, line %d: %v", len(lines), len(want), r.Line(), err)
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("Next behind the end: %v", err)
	}
}

// cuts yields where a log is cut: at each byte where CI is set, else at each byte near a place where something ends, and at
// every 16th.
func cuts(length int, ends func(n int) bool) iter.Seq[int] {
	return func(yield func(int) bool) {
		for n := range length {
			near := testenv.CI() || n%16 == 0
			for at := n - 2; !near && at <= n+2; at++ {
				near = at >= 0 && at < length && ends(at)
			}
			if near && !yield(n) {
				return
			}
		}
	}
}

// TestReaderEveryCut cuts a log everywhere: what can be read is its whole lines, and that it is cut.
func TestReaderEveryCut(t *testing.T) {
	log := good(t)
	for n := range cuts(len(log), func(n int) bool { return n <= len(headerStart) || log[n] == '\n' }) {
		whole := bytes.LastIndexByte(log[:n], '\n') + 1
		r, err := NewReader(bytes.NewReader(log[:n]))
		if n < len(headerStart) {
			if !errors.Is(err, ErrNotLog) {
				t.Fatalf("cut at %d: %v", n, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
		lines, err := readAll(r)
		if err != ErrCut {
			t.Fatalf("cut at %d: %v", n, err)
		}
		if got := strings.Join(lines, ""); got != string(log[:whole]) {
			t.Fatalf("cut at %d: read %d bytes, want %d", n, len(got), whole)
		}
	}
}

// TestReaderEveryCutCompressed cuts a log of several frames everywhere: the frames before the cut can
// be read, and at most the cut one more.
func TestReaderEveryCutCompressed(t *testing.T) {
	var packed bytes.Buffer
	var text strings.Builder
	w := NewWriter(&packed, true)
	type frame struct{ packed, text int }
	var frames []frame
	r, err := Open("testdata/good.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		rec, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Put(rec); err != nil {
			t.Fatal(err)
		}
		text.Write(AppendRecord(nil, rec))
		if r.Line()%8 == 1 {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			frames = append(frames, frame{packed.Len(), text.Len()})
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	frames = append(frames, frame{packed.Len(), text.Len()})
	if text.String() != string(good(t)) {
		t.Fatal("not the log")
	}
	for n := range cuts(packed.Len(), func(n int) bool {
		return slices.ContainsFunc(frames, func(f frame) bool { return f.packed == n })
	}) {
		flushed := 0
		for _, f := range frames {
			if f.packed <= n {
				flushed = f.text
			}
		}
		r, err := NewReader(bytes.NewReader(packed.Bytes()[:n]))
		if flushed == 0 {
			if err != nil && !errors.Is(err, ErrNotLog) {
				t.Fatalf("cut at %d: %v", n, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
		lines, err := readAll(r)
		r.Close()
		got := strings.Join(lines, "")
		if err != ErrCut || len(got) < flushed || !strings.HasPrefix(text.String(), got) {
			t.Fatalf("cut at %d: read %d of %d flushed bytes: %v", n, len(got), flushed, err)
		}
	}
	r, err = NewReader(&packed)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if lines, err := readAll(r); err != io.EOF || strings.Join(lines, "") != text.String() {
		t.Fatalf("the whole of it: %v", err)
	}
}

func TestReaderErrors(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	for name, b := range map[string][]byte{
		"empty":       nil,
		"text":        []byte("hello\nworld\n"),
		"json":        []byte("{}\n"),
		"other":       []byte(`{"type":"header","format":"other","version":1}` + "\n"),
		"binary":      bytes.Repeat([]byte{0}, 5<<20),
		"zstd":        enc.EncodeAll([]byte("hello\nworld\n"), nil),
		"zstd magic":  []byte(zstdMagic),
		"zstd header": enc.EncodeAll([]byte(headerStart), nil)[:12],
	} {
		path := write(name, b)
		r, err := Open(path)
		if !errors.Is(err, ErrNotLog) || !strings.Contains(err.Error(), path+": not a vmblame log") {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			r.Close()
		}
	}
	if _, err := Open(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("no file: %v", err)
	}
	if _, err := Open(dir); err == nil || errors.Is(err, ErrNotLog) {
		t.Errorf("a directory: %v", err)
	}
	newer := write("newer", []byte(`{"type":"header","format":"vmblame","version":7,"command":{"a":1}}`+"\n"))
	var v *VersionError
	if _, err := Open(newer); !errors.As(err, &v) || v.Version != 7 || !strings.Contains(err.Error(), "version 7 is newer") {
		t.Errorf("newer: %v", err)
	}
}

func TestReaderGarbage(t *testing.T) {
	lines := bytes.SplitAfter(good(t), []byte("\n"))
	for _, garbage := range []string{"", "{", "null", "[]", "7", `{"type":7}`, `{"seq":1}`, `{"type":"event","seq":"1"}`, `{"type":"event"}x`,
		`{"type":"event",}`, `{"type":"event","seq":1,,"t":2}`, `{"type":"event" "seq":1}`, `{"type":"unknown","x":[1,]}`, `{"type":"event","seq":01}`,
		`{"type":"event","seq":18446744073709551616}`, `{"type":"event","t":9223372036854775808}`, `{"type":"event","seq":-1}`, `{"type":"event","seq":1.5}`,
		`{"type":"event","changes":[{"start":"0x12345678123456789"}]}`, `{"type":"event","changes":[{"start":"7f00"}]}`, `{"type":"event","call":"a` + "\n" + `b"}`,
		`{"type":"note","t":"x"}`, `{"type":"event","x":` + strings.Repeat("[", 100000), `{"type":"event","call":"\x"}`, `{"type":"event","call":"\ud800`} {
		log := bytes.Join(lines[:5], nil)
		log = append(log, garbage+"\n"...)
		log = append(log, bytes.Join(lines[5:], nil)...)
		r, err := NewReader(bytes.NewReader(log))
		if err != nil {
			t.Fatal(err)
		}
		got, err := readAll(r)
		var e *LineError
		if !errors.As(err, &e) || e.Line != 6 || len(got) != 5 {
			t.Errorf("%.40q: %d lines, %v", garbage, len(got), err)
		}
	}
}

func TestReaderPassesOverWhatItDoesNotKnow(t *testing.T) {
	lines := bytes.SplitAfter(good(t), []byte("\n"))
	log := slicesInsert(lines, 5, []byte(`{"type":"weather","sky":{"is":["blue",1.5e3,null,true,-0]}}`+"\n"))
	log = bytes.ReplaceAll(log, []byte(`"changes":[`), []byte(`"colour":{"a":[{"b":"\u003c\"]"}],"c":{}},"changes":[`))
	log = bytes.ReplaceAll(log, []byte(`"perms":`), []byte(`"flags":[ ] , "perms":`))
	r, err := NewReader(bytes.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	got, err := readAll(r)
	if err != io.EOF || strings.Join(got, "") != string(good(t)) {
		t.Errorf("%v:\n%s", err, strings.Join(got, ""))
	}
}

func slicesInsert(lines [][]byte, at int, line []byte) []byte {
	log := append(bytes.Join(lines[:at], nil), line...)
	return append(log, bytes.Join(lines[at:], nil)...)
}

func TestReaderLongLine(t *testing.T) {
	s := &Space{Space: 1, PID: 1, Cause: "launch"}
	exec := ExecSeq(0)
	for i := range 20000 {
		s.Mappings = append(s.Mappings, Mapping{Hex(i * 8192), Hex(i*8192 + 4096), Attr{Perms: "rw-p", Dev: "00:00", OriginCause: "kernel", Exec: &exec}})
	}
	var log []byte
	header := bytes.SplitAfter(good(t), []byte("\n"))[0]
	log = append(log, header...)
	log = AppendRecord(log, s)
	log = AppendRecord(log, &End{Cause: "failed"})
	if len(log) < 4*readBuffer {
		t.Fatalf("only %d bytes", len(log))
	}
	r, err := NewReader(bytes.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	got, err := readAll(r)
	if err != io.EOF || strings.Join(got, "") != string(log) {
		t.Errorf("%d lines: %v", len(got), err)
	}
}

// repeated is a log of n events: a mapping made and removed over and over.
func repeated(n int) []byte {
	log := AppendRecord(nil, &Header{Format: "vmblame", Version: 1, Mode: "run", Started: "2026-01-02T03:04:05Z", Host: Host{PageSize: 4096}})
	log = AppendRecord(log, &Space{Space: 1, PID: 1, Cause: "launch"})
	e := hotEvent()
	e.Stack = nil
	attr := *e.Changes[1].Now
	for i := range n {
		seq := uint64(i + 1)
		e.Seq, e.T = seq, int64(i)*1000
		if i%2 == 0 {
			attr.Origin = &seq
			e.Call, e.Changes = "mmap", []Change{{0x7ffff7cc5000, 0x7ffff7e2a000, nil, &attr}}
			e.Args = hotEvent().Args
		} else {
			*attr.Origin = seq - 1
			e.Call, e.Changes = "munmap", []Change{{0x7ffff7cc5000, 0x7ffff7e2a000, &attr, nil}}
			e.Args = Args{{Name: "addr", Value: 0x7ffff7cc5000, Address: true}, {Name: "length", Value: 1462272}}
		}
		log = AppendRecord(log, e)
	}
	code := 0
	return AppendRecord(log, &End{T: int64(n) * 1000, Cause: "exit", Exit: &Exit{Code: &code}, Events: uint64(n)})
}

func BenchmarkRead(b *testing.B) {
	log := repeated(100000)
	b.SetBytes(int64(len(log)))
	b.ReportAllocs()
	for b.Loop() {
		r, err := NewReader(bytes.NewReader(log))
		if err != nil {
			b.Fatal(err)
		}
		for {
			if _, err := r.Next(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	log := repeated(100000)
	b.SetBytes(int64(len(log)))
	b.ReportAllocs()
	for b.Loop() {
		if err := Check(bytes.NewReader(log), func(p Problem) { b.Fatal(p) }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReplay(b *testing.B) {
	log := repeated(100000)
	b.SetBytes(int64(len(log)))
	b.ReportAllocs()
	for b.Loop() {
		r, err := NewReader(bytes.NewReader(log))
		if err != nil {
			b.Fatal(err)
		}
		p := NewReplay()
		for {
			rec, err := r.Next()
			if err == io.EOF {
				break
			}
			if err == nil {
				err = p.Put(rec)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
