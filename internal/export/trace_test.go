package export

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/strace"
)

// A trace is what a reader finds in one, whatever the format.
type trace struct {
	calls    []readCall
	counters map[int]map[string][]readSize // by pid, then "addresses: heap"
	threads  map[int]string
}

type readCall struct {
	t                int64
	tid              int
	name, text       string
	failed           bool
	event            uint64
	mapped, unmapped int64
	stack            []string // labels, innermost first
}

type readSize struct{ t, bytes int64 }

// perfettoMessages are the messages of a trace.
func perfettoMessages(t *testing.T, text []byte) []map[string]any {
	t.Helper()
	files, err := (&protocompile.Compiler{Resolver: &protocompile.SourceResolver{ImportPaths: []string{"testdata"}}}).Compile(context.Background(), "perfetto.proto")
	if err != nil {
		t.Fatal(err)
	}
	m := dynamicpb.NewMessage(files[0].Messages().ByName("Trace"))
	if err := proto.Unmarshal(text, m); err != nil {
		t.Fatal(err)
	}
	// What the schema does not know would be skipped in silence.
	packets := m.Get(m.Descriptor().Fields().ByName("packet")).List()
	for i := range packets.Len() {
		if n := len(packets.Get(i).Message().GetUnknown()); n > 0 {
			t.Errorf("packet %d has %d bytes of unknown fields", i, n)
		}
	}
	js, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Packet []map[string]any }
	if err := json.Unmarshal(js, &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Packet
}

// number is a field as protojson writes it: numbers of 64 bits as strings.
func numberOf(v any) int64 {
	switch v := v.(type) {
	case string:
		n, _ := strconv.ParseInt(v, 10, 64)
		return n
	case float64:
		return int64(v)
	}
	return 0
}

func field(m any, path ...string) any {
	for _, p := range path {
		of, ok := m.(map[string]any)
		if !ok {
			return nil
		}
		m = of[p]
	}
	return m
}

func items(v any) []any { list, _ := v.([]any); return list }

// readPerfetto reads a trace with Perfetto's schema: what is interned is known from the packet that first needs it.
func readPerfetto(t *testing.T, text []byte) trace {
	t.Helper()
	x := trace{counters: map[int]map[string][]readSize{}, threads: map[int]string{}}
	interned := map[string]map[int64]map[string]any{}
	tracks := map[int64]map[string]any{}
	bytesOf := func(what string, id any) string { // base64 of protojson
		var b []byte
		_ = json.Unmarshal([]byte(strconv.Quote(field(interned[what][numberOf(id)], "str").(string))), &b)
		return string(b)
	}
	label := func(id any) string {
		f := interned["frames"][numberOf(id)]
		if f == nil {
			t.Fatalf("no frame %v", id)
		}
		if m := f["mapping_id"]; m != nil {
			mapping := interned["mappings"][numberOf(m)]
			path := ""
			for _, part := range items(mapping["path_string_ids"]) {
				path += "/" + bytesOf("mapping_paths", part)
			}
			if b := mapping["build_id"]; b != nil {
				if raw := bytesOf("build_ids", b); len(raw) < 4 {
					t.Errorf("build id %x of %s", raw, path)
				} else {
					path += " " + hex.EncodeToString([]byte(raw))
				}
			}
			if f["function_name_id"] == nil {
				file, _, _ := strings.Cut(path[strings.LastIndexByte(path, '/')+1:], " ")
				return file + "+0x" + strconv.FormatInt(numberOf(f["rel_pc"]), 16)
			}
		}
		return bytesOf("function_names", f["function_name_id"])
	}
	for i, p := range perfettoMessages(t, text) {
		if (i == 0) != (numberOf(p["sequence_flags"]) == stateCleared|stateNeeded) || numberOf(p["trusted_packet_sequence_id"]) != 1 {
			t.Fatalf("packet %d: %v", i, p)
		}
		for what, list := range mapOf(p["interned_data"]) {
			if interned[what] == nil {
				interned[what] = map[int64]map[string]any{}
			}
			for _, o := range items(list) {
				interned[what][numberOf(field(o, "iid"))] = o.(map[string]any)
			}
		}
		if d := mapOf(p["track_descriptor"]); d != nil {
			tracks[numberOf(d["uuid"])] = d
			if th := mapOf(d["thread"]); th != nil {
				name, _ := th["thread_name"].(string)
				x.threads[int(numberOf(th["tid"]))] = name
			}
		}
		e := mapOf(p["track_event"])
		if e == nil {
			continue
		}
		at, track := numberOf(p["timestamp"]), tracks[numberOf(e["track_uuid"])]
		if p["timestamp"] == nil || track == nil {
			t.Fatalf("packet %d has no time or no track: %v", i, p)
		}
		switch e["type"] {
		case "TYPE_COUNTER":
			pid := int(numberOf(field(tracks[numberOf(track["parent_uuid"])], "process", "pid")))
			if x.counters[pid] == nil {
				x.counters[pid] = map[string][]readSize{}
			}
			name := track["name"].(string)
			if field(track, "counter", "unit") != "UNIT_SIZE_BYTES" || e["counter_value"] == nil {
				t.Fatalf("counter %v, %v", track, e)
			}
			x.counters[pid][name] = append(x.counters[pid][name], readSize{at, numberOf(e["counter_value"])})
		case "TYPE_INSTANT":
			c := readCall{t: at, tid: int(numberOf(field(track, "thread", "tid"))), name: field(interned["event_names"][numberOf(e["name_iid"])], "name").(string)}
			c.failed = slices.Contains(items(e["categories"]), any("failed"))
			for _, a := range items(e["debug_annotations"]) {
				switch field(interned["debug_annotation_names"][numberOf(field(a, "name_iid"))], "name") {
				case "call":
					c.text = field(a, "string_value").(string)
				case "event":
					c.event = uint64(numberOf(field(a, "uint_value")))
				case "mapped":
					c.mapped = numberOf(field(a, "uint_value"))
				case "unmapped":
					c.unmapped = numberOf(field(a, "uint_value"))
				}
			}
			if id := e["callstack_iid"]; id != nil {
				for _, f := range items(interned["callstacks"][numberOf(id)]["frame_ids"]) {
					c.stack = append(c.stack, label(f))
				}
				slices.Reverse(c.stack)
			}
			x.calls = append(x.calls, c)
		default:
			t.Fatalf("packet %d: %v", i, p)
		}
	}
	return x
}

func mapOf(v any) map[string]any { m, _ := v.(map[string]any); return m }

// readChrome reads a trace as the Trace Event Format is documented: stacks from stackFrames.
func readChrome(t *testing.T, text []byte) trace {
	t.Helper()
	var doc struct {
		TraceEvents []struct {
			Name, Cat, Ph, S, Sf string
			Ts                   json.Number
			PID, TID             int
			Args                 map[string]any
		}
		StackFrames map[string]struct{ Name, Category, Parent string }
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	x := trace{counters: map[int]map[string][]readSize{}, threads: map[int]string{}}
	for _, e := range doc.TraceEvents {
		us, ns, _ := strings.Cut(string(e.Ts), ".")
		at, _ := strconv.ParseInt(us+ns, 10, 64)
		switch e.Ph {
		case "M":
			if e.Name == "thread_name" {
				x.threads[e.TID] = e.Args["name"].(string)
			}
		case "C":
			for kind, n := range e.Args {
				if x.counters[e.PID] == nil {
					x.counters[e.PID] = map[string][]readSize{}
				}
				name := e.Name + ": " + kind
				x.counters[e.PID][name] = append(x.counters[e.PID][name], readSize{at, numberOf(n)})
			}
		case "i":
			c := readCall{t: at, tid: e.TID, name: e.Name, text: e.Args["call"].(string), failed: e.Cat == "failed", event: uint64(numberOf(e.Args["event"])), mapped: numberOf(e.Args["mapped"]), unmapped: numberOf(e.Args["unmapped"])}
			for id := e.Sf; id != ""; id = doc.StackFrames[id].Parent {
				c.stack = append(c.stack, doc.StackFrames[id].Name)
			}
			for i, name := range items(e.Args["stack"]) {
				if i >= len(c.stack) || c.stack[i] != name {
					t.Errorf("event %d: stack %v, stackFrames have %v", c.event, e.Args["stack"], c.stack)
					break
				}
			}
			x.calls = append(x.calls, c)
		default:
			t.Errorf("phase %q", e.Ph)
		}
	}
	return x
}

// TestTraces: both traces have every call of the log with its stack, at its time, and sizes by kind that are at every
// moment at which they are told what a report of that moment says.
func TestTraces(t *testing.T) {
	eachLog(t, func(t *testing.T, log string, at analysis.Moment) {
		var p, c bytes.Buffer
		if _, err := WritePerfetto(&p, opener(log), at, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := WriteChrome(&c, opener(log), at, nil, "vmblame"); err != nil {
			t.Fatal(err)
		}
		s := stateOf(t, log, at)
		calls := callsOf(t, log, s)
		for name, x := range map[string]trace{"perfetto": readPerfetto(t, p.Bytes()), "chrome": readChrome(t, c.Bytes())} {
			if len(x.calls) != len(calls) {
				t.Fatalf("%s: %d calls, the log has %d", name, len(x.calls), len(calls))
			}
			for i, want := range calls {
				if got := x.calls[i]; got.t != want.t || got.tid != want.tid || got.name != want.name || got.text != want.text || got.event != want.event || got.failed != want.failed || got.mapped != want.mapped || got.unmapped != want.unmapped || !slices.Equal(got.stack, want.stack) {
					t.Errorf("%s: a call is\n%+v, want\n%+v", name, got, want)
				}
				if x.threads[want.tid] != s.ThreadName(want.tid, s.T) {
					t.Errorf("%s: thread %d is %q", name, want.tid, x.threads[want.tid])
				}
			}
			sizesAre(t, name, x, log, s)
		}
	})
}

// callsOf are the calls of a log up to the moment of s.
func callsOf(t *testing.T, log string, s *analysis.State) (list []readCall) {
	t.Helper()
	_, err := analysis.LoadFollowed(opener(log), s.Moment, nil, func(rec eventlog.Record) {
		e, ok := rec.(*eventlog.Event)
		if !ok {
			return
		}
		c := readCall{t: e.T, tid: e.TID, name: e.Call, text: string(strace.AppendCall(nil, e)), failed: e.Error != "", event: e.Seq}
		for _, x := range e.Changes {
			if x.Was == nil {
				c.mapped += int64(x.End - x.Start)
			}
			if x.Now == nil {
				c.unmapped += int64(x.End - x.Start)
			}
		}
		if e.Stack != nil {
			frames, _ := s.Frames(*e.Stack)
			for i := range frames {
				c.stack = append(c.stack, frames[i].Label())
			}
		}
		list = append(list, c)
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// sizesAre compares the sizes of a trace with what the reports of their moments say: at its end, of processes that have
// ended as they ended, and at events before.
func sizesAre(t *testing.T, format string, x trace, log string, s *analysis.State) {
	t.Helper()
	compare := func(what string, s *analysis.State) {
		report := s.Report(analysis.ReportOptions{})
		for i := range report.Processes {
			p := report.Processes[i]
			when := s.T
			if p.Ended {
				when = p.Until
			}
			want := reported(&analysis.Report{Processes: []analysis.ReportProcess{p}})
			for kind, f := range want {
				f.mappings = 0 // which traces do not tell
				want[kind] = f
			}
			differ(t, what, sizesAt(x.counters[p.PID], when), want)
		}
	}
	compare(format, s)
	if s.Seq < 3 {
		return
	}
	for _, seq := range []uint64{s.Seq / 3, s.Seq * 2 / 3} {
		then := stateOf(t, log, analysis.Moment{Kind: analysis.AtSeq, Seq: seq})
		// What is told of a moment may be overtaken by what happened at the same time; and one that changed nothing is not told.
		if e := eventOf(t, log, seq); then.T != e.T || len(e.Changes) == 0 || strings.HasPrefix(e.Call, "execve") || eventOf(t, log, seq+1).T == e.T {
			continue
		}
		compare(format+" at event "+strconv.FormatUint(seq, 10), then)
	}
}

// sizesAt are the sizes that counters of one process show at a time, by kind and together.
func sizesAt(counters map[string][]readSize, when int64) map[string]figures {
	by := map[string]figures{}
	for name, sizes := range counters {
		way, kind, _ := strings.Cut(name, ": ")
		n := int64(0)
		for _, v := range sizes {
			if v.t <= when {
				n = v.bytes
			}
		}
		for _, k := range []string{kind, ""} {
			f := by[k]
			switch way {
			case "addresses":
				f.addresses += n
			case "usable":
				f.usable += n
			case "resident":
				f.resident += n
			}
			by[k] = f
		}
	}
	return by
}

func eventOf(t *testing.T, log string, seq uint64) (found eventlog.Event) {
	t.Helper()
	r, err := opener(log)()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		rec, err := r.Next()
		if err != nil {
			return found
		}
		if e, ok := rec.(*eventlog.Event); ok && e.Seq == seq {
			found = *e
			found.Changes = slices.Clone(e.Changes)
			return found
		}
	}
}
