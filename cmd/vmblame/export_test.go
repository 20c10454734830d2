package main

import (
	"encoding/json"
	"testing"
)

// exported fails the test unless text is one document of the export, its end null where the log was cut.
func exported(t *testing.T, text string, cut bool) map[string]json.RawMessage {
	t.Helper()
	var doc map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("the export is no JSON: %v", err)
	}
	for _, key := range []string{"header", "spaces", "threads", "modules", "stacks", "events", "drifts", "snapshots", "notes", "end"} {
		if _, ok := doc[key]; !ok {
			t.Errorf("the export has no %q", key)
		}
	}
	if isNull := string(doc["end"]) == "null"; isNull != cut {
		t.Errorf("end is %s", doc["end"])
	}
	return doc
}
