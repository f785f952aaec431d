package query_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/proctape/proctape/query"
)

func TestNullUnknown(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":0,"unknown":["b"],"b":1}`:                                   `{"a":0,"unknown":["b"],"b":null}`,
		`{"a":0,"b":[{"a":0,"unknown":["a","z"]},{"a":0}],"c":{"a":0}}`:   `{"a":0,"b":[{"a":null,"unknown":["a","z"]},{"a":0}],"c":{"a":0}}`,
		`{"c":"\"unknown\":[\"c\"]","n":0}`:                               `{"c":"\"unknown\":[\"c\"]","n":0}`,
		"{\"a\":0,\"unknown\":[\"a\"]}\n{\"a\":1}\n":                      "{\"a\":null,\"unknown\":[\"a\"]}\n{\"a\":1}\n",
		`[{"s":"S","unknown":["s","o"],"o":{"unknown":["x"],"x":[1,2]}}]`: `[{"s":null,"unknown":["s","o"],"o":null}]`,
		`{"unknown":["a"`: `{"unknown":["a"`,
	} {
		if got := string(query.NullUnknown([]byte(text))); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

// FuzzNullUnknown compares with what the meaning of the key says: the values are decoded, those of unknown keys are replaced, and nothing else.
func FuzzNullUnknown(f *testing.F) {
	for _, text := range []string{
		`{"a":0,"b":[{"a":0,"unknown":["a","z"]},{"a":"]"}],"c":{"a":-1.5e3,"unknown":[]}}`,
		`{"unknown":["a\"b","unknown"],"a\"b":{"c":[[],{}]},"é":"\u2028"}`,
		`[true,null,{"unknown":["x"],"x":{"unknown":["y"],"y":0}}]`,
		`[}`, `{"unknown":["`, `{"unknown":["a"],"a"`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		query.NullUnknown(text) // ends, whatever it is given
		var value any
		if json.Unmarshal(text, &value) != nil {
			return
		}
		for _, encode := range []func(any) ([]byte, error){json.Marshal, func(v any) ([]byte, error) { return json.MarshalIndent(v, " ", "\t") }} {
			text, err := encode(value)
			if err != nil {
				t.Fatal(err)
			}
			var got, want any
			if err := json.Unmarshal(query.NullUnknown(text), &got); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(text, []byte(`"unknown":["`)) {
				nullUnknown(want)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: got %v, want %v", text, got, want)
			}
		}
	})
}

func nullUnknown(value any) {
	switch v := value.(type) {
	case []any:
		for _, element := range v {
			nullUnknown(element)
		}
	case map[string]any:
		for _, element := range v {
			nullUnknown(element)
		}
		keys, _ := v["unknown"].([]any)
		for _, key := range keys {
			if name, is := key.(string); is && v[name] != nil {
				v[name] = nil
			}
		}
	}
}
