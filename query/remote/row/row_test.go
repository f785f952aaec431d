package row_test

import (
	"math"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/proctape/proctape/query/remote/row"
)

// Every value comes back as it was, with its type.
func TestRow_RoundTrip(t *testing.T) {
	value := rapid.Custom(func(t *rapid.T) any {
		return rapid.OneOf(rapid.Just[any](nil), rapid.Int64().AsAny(), rapid.Float64().AsAny(), rapid.Bool().AsAny(), rapid.String().AsAny(),
			rapid.SampledFrom([]any{int64(math.MaxInt64), 1.0, 1e300, math.Inf(-1), "\xff\x1b[2J\n", "null", []byte{}, time.Unix(5, 7).UTC()}),
			rapid.SliceOf(rapid.Byte()).AsAny()).Draw(t, "value")
	})
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOf(value).Draw(t, "values")
		line, err := row.Append(nil, values)
		if err != nil {
			t.Fatal(err)
		}
		got, err := row.Parse(line)
		if err != nil || len(got) != len(values) || len(values) > 0 && !reflect.DeepEqual(got, values) {
			t.Fatalf("%#v became %s and %#v: %v", values, line, got, err)
		}
	})
	if got, err := row.Parse([]byte(row.End)); got != nil || err != nil {
		t.Errorf("the end is %v, %v", got, err)
	}
	if _, err := row.Append(nil, []any{struct{}{}}); err == nil {
		t.Error("any type is sent")
	}
	for _, bad := range []string{"", "{}", "[", "[1e]", `[{"float":"x"}]`, `[{}]`, `[{"bytes":"!"}]`, "[[1]]"} {
		if got, err := row.Parse([]byte(bad)); err == nil {
			t.Errorf("%q is read as %v", bad, got)
		}
	}
}
