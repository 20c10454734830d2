package eventlog

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	s, err := c.Compile("../../docs/eventlog.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(t *testing.T, s *jsonschema.Schema, text []byte) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return s.Validate(v)
}

func TestSchemaAcceptsLogsAndTheirExports(t *testing.T) {
	s := schema(t)
	for _, path := range goodLogs(t) {
		log, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(log)) {
			if err := validate(t, s, []byte(line)); err != nil {
				t.Errorf("%s: %v\n%s", path, err, line)
			}
		}
		_, text, err := exported(t, path)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, s, text); err != nil {
			t.Errorf("export of %s: %v", path, err)
		}
	}
	_, text, err := exported(t, "testdata/broken/cut.jsonl")
	if err == nil {
		t.Fatal("a cut log is not said to be cut")
	}
	if err := validate(t, s, text); err != nil {
		t.Errorf("export of a cut log: %v", err)
	}
}

// TestSchemaRequiresEveryField takes each field away from each object of a log in turn.
func TestSchemaRequiresEveryField(t *testing.T) {
	s := schema(t)
	optional := []string{"event.result", "event.error", "event.uncertain", "frames.call", "frames.linkage_name", "frames.file", "frames.line",
		"mappings.anon_name", "mappings.moved_from", "now.moved_from", "was.moved_from"}
	tried := 0
	for line := range strings.Lines(string(good(t))) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		withoutEach(v, v["type"].(string), func(field string) {
			of, _, _ := strings.Cut(field, ".")
			if slices.Contains(optional, field) || of == "args" || of == "environment" || of == "exit" {
				return
			}
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			tried++
			if validate(t, s, b) == nil {
				t.Errorf("without %s this is accepted: %s", field, b)
			}
		})
	}
	if tried < 500 {
		t.Errorf("only %d fields were tried", tried)
	}
}

// withoutEach calls f with each field of v, and of the objects below it, taken away. The field is named
// by the object it is in, "event.seq".
func withoutEach(v any, name string, f func(field string)) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			withoutEach(e, name, f)
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			withoutEach(v[k], k, f)
			old := v[k]
			delete(v, k)
			f(name + "." + k)
			v[k] = old
		}
	}
}

func TestSchemaRefuses(t *testing.T) {
	s := schema(t)
	log := string(good(t))
	for _, tt := range []struct{ old, new string }{
		{`"type":"note"`, `"type":"nota"`},
		{`"version":1`, `"version":2`},
		{`"mode":"run"`, `"mode":"walk"`},
		{`"started":"2026-01-02T03:04:05.678901234Z"`, `"started":"yesterday"`},
		{`"page_size":4096`, `"page_size":"4096"`},
		{`"MALLOC_ARENA_MAX":"1"`, `"MALLOC_ARENA_MAX":1`},
		{`"cause":"launch"`, `"cause":"start"`},
		{`"cause":"fork","parent":1`, `"cause":"fork","parent":null`},
		{`"start":"0x7ffff7a01000"`, `"start":"0x7ffff7a01001"`},
		{`"start":"0x7ffff7a01000"`, `"start":"0x7FFFF7A01000"`},
		{`"start":"0x7ffff7a01000"`, `"start":"0x07ffff7a01000"`},
		{`"start":"0x7ffff7a01000"`, `"start":140737348898816`},
		{`"pc":"0x7ffff7d1e747"`, `"pc":140737351116615`},
		{`"via":"pc"`, `"via":"pc","call":true`},
		{`"via":"cfi","call":true`, `"via":"cfi","call":false`},
		{`"complete":true`, `"complete":false`},
		{`"end":"undefined-ra"`, `"end":"no-cfi"`},
		{`"perms":"rw-p"`, `"perms":"rw-"`},
		{`"dev":"fe:00"`, `"dev":64768`},
		{`"inode":500`, `"inode":"500"`},
		{`"origin":2`, `"origin":null`},
		{`"origin":2`, `"origin":0`},
		{`"origin":2`, `"origin":2,"origin_cause":"drift"`},
		{`"origin_cause":"kernel","exec":null`, `"origin_cause":"kernel"`},
		{`"origin_cause":"kernel","exec":null`, `"origin_cause":"drift","exec":null`},
		{`"origin_cause":"drift"`, `"origin_cause":"gremlins"`},
		{`"was":null,"now":{`, `"was":null,"now":null,"x":{`},
		{`"changes":[]`, `"changes":null`},
		{`"error":"EINVAL"`, `"error":22`},
		{`"error":"EINVAL"`, `"error":"EINVAL","result":-1`},
		{`"result":"0x7ffff7a00000"`, `"result":"7ffff7a00000"`},
		{`"length":65000`, `"length":null`},
		{`"stack":1`, `"stack":"1"`},
		{`"uncertain":true`, `"uncertain":false`},
		{`"t":5600`, `"t":5600.5`},
		{`"level":"warning"`, `"level":"error"`},
		{`"rss":4096`, `"rss":-1`},
		{`"exit":{"code":0}`, `"exit":{"code":0,"signal":9}`},
		{`"exit":{"code":0}`, `"exit":{}`},
	} {
		for line := range strings.Lines(log) {
			if !strings.Contains(line, tt.old) {
				continue
			}
			broken := strings.Replace(line, tt.old, tt.new, 1)
			if validate(t, s, []byte(broken)) == nil {
				t.Errorf("%s in place of %s is accepted", tt.new, tt.old)
			}
			break // the first line that has it will do
		}
		if !strings.Contains(log, tt.old) {
			t.Errorf("no line has %s", tt.old)
		}
	}
}
