//go:build goexperiment.jsonv2

package eventlog

import json "encoding/json/v2"

func init() {
	jsonv2.marshal = func(v any) ([]byte, error) { return json.Marshal(v) }
	jsonv2.unmarshal = func(b []byte, v any) error { return json.Unmarshal(b, v) }
}
