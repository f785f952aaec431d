package query_test

import (
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
