package schema

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// unbounded are the fields with a number that check accepts, whatever is in it. It sets each field of each example, in turn, to
// numbers that no machine has, and goes through all lists, at their first element.
func unbounded(t *testing.T, check func(*Message) error) (free []string, seen int) {
	t.Helper()
	for _, e := range examples() {
		fill(reflect.ValueOf(e.m).Elem())
		if err := check(e.m); err != nil {
			t.Fatalf("%s with every field: %v", e.name, err)
		}
		numbersOf(reflect.ValueOf(e.m).Elem(), e.name, func(name string, field reflect.Value) {
			seen++
			before := reflect.New(field.Type()).Elem()
			before.Set(field)
			for _, v := range []int64{math.MaxInt64, math.MaxInt64/2 + 2, math.MinInt64} {
				key := name[strings.LastIndexByte(name, '.')+1:]
				if field.CanUint() {
					field.SetUint(uint64(v))
				} else {
					field.SetInt(v)
				}
				if err := check(e.m); err == nil {
					free = append(free, fmt.Sprintf("%s = %d", name, v))
				} else if !strings.Contains(err.Error(), key) && key != "v" {
					t.Errorf("%s = %d: error %q does not name it", name, v, err)
				}
			}
			field.Set(before)
		})
	}
	return free, seen
}

// fill makes what is unknown known, and gives a list that is empty an element.
func fill(v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[Processes]():
	case v.Type() == reflect.TypeFor[Opt[int64]]():
		v.Field(1).SetBool(true)
	case v.Kind() == reflect.Struct:
		for _, field := range v.Fields() {
			fill(field)
		}
	case v.Kind() == reflect.Pointer && !v.IsNil():
		fill(v.Elem())
	case v.Kind() == reflect.Slice:
		if v.Len() == 0 && v.Type().Elem().Kind() == reflect.Int64 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
		for i := range v.Len() {
			fill(v.Index(i))
		}
	}
}

// numbersOf visits every field with a number below v, by the keys of JSON that lead there.
func numbersOf(v reflect.Value, name string, visit func(name string, field reflect.Value)) {
	switch {
	case v.Type() == reflect.TypeFor[Processes](), v.Type() == reflect.TypeFor[Instance](), v.Type() == reflect.TypeFor[RunID]():
	case v.Type() == reflect.TypeFor[Opt[int64]]():
		visit(name, v.Field(0))
	case v.Kind() == reflect.Struct:
		for field, value := range v.Fields() {
			key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if key == "" {
				numbersOf(value, name, visit)
				continue
			}
			numbersOf(value, name+"."+key, visit)
		}
	case v.Kind() == reflect.Pointer && !v.IsNil():
		numbersOf(v.Elem(), name, visit)
	case (v.Kind() == reflect.Slice || v.Kind() == reflect.Array) && v.Len() > 0:
		numbersOf(v.Index(0), name, visit)
	case v.CanInt() || v.CanUint():
		visit(name, v)
	}
}

// Every number of every kind of message has a bound, and the refusal names the field.
func TestValidate_EveryNumberHasABound(t *testing.T) {
	free, seen := unbounded(t, (*Message).Validate)
	if len(free) > 0 {
		t.Errorf("numbers without a bound:\n%s", strings.Join(free, "\n"))
	}
	if seen < 200 {
		t.Errorf("only %d fields were looked at", seen)
	}
}

// The control: a check that leaves one field out is found.
func TestValidate_EveryNumberHasABoundControl(t *testing.T) {
	free, _ := unbounded(t, func(m *Message) error {
		if m.Snapshot != nil {
			defer func(v int64) { m.Snapshot.Uptime = v }(m.Snapshot.Uptime)
			m.Snapshot.Uptime = 0
		}
		return m.Validate()
	})
	if want := fmt.Sprintf("snapshot.snapshot.recorder_uptime_ns = %d", math.MaxInt64); !slices.Contains(free, want) {
		t.Errorf("found %q, want %s among them", free, want)
	}
}

// Every column of numbers of a snapshot's processes has a bound too.
func TestValidate_EveryColumnHasABound(t *testing.T) {
	typ := reflect.TypeFor[Process]()
	for field := range typ.Fields() {
		key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		m := exampleOf(t, "snapshot")
		rows := m.Snapshot.Processes.Rows()
		switch f := reflect.ValueOf(&rows[2]).Elem().FieldByIndex(field.Index); {
		case f.Type() == reflect.TypeFor[Opt[int64]]():
			f.Set(reflect.ValueOf(Some[int64](math.MaxInt64)))
		case f.CanInt():
			f.SetInt(math.MaxInt64)
		case f.CanUint():
			f.SetUint(math.MaxInt64)
		default:
			continue
		}
		m.Snapshot.Processes = ProcessesOf(rows...)
		if err := m.Validate(); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s = 2^63-1: got error %v, want one that names it", key, err)
		}
	}
}

// A process cannot have used more CPU than the machine had since its boot.
func TestValidate_CPUOfALife(t *testing.T) {
	m := exampleOf(t, "snapshot")
	change(0, func(p *Process) { p.CPUMillis = 1 << 49 })(m)
	if err := m.Validate(); err == nil || !strings.Contains(err.Error(), "cpu_ms 562949953421312 is more than a machine can have") {
		t.Errorf("17 000 years of CPU in a day: got error %v", err)
	}
}

// A minute of many values stops where it says "at least", on both sides of 0, and merges do.
func TestSpread_SumStops(t *testing.T) {
	for _, v := range []int64{boundValue.high, boundValue.low} {
		s := SpreadOf(slices.Repeat([]int64{v}, 1<<13), 0)
		for range 3 {
			s = MergeSpreads(s, s, 0)
		}
		if want := v << 11; s.Sum != want { // 2^61
			t.Errorf("%d times %d: got %d, want %d", s.Samples, v, s.Sum, want)
		}
		if err := boundSum.check("sum", s.Sum); err != nil {
			t.Error(err)
		}
	}
}

func TestAddSaturated(t *testing.T) {
	if wrong := wrongSums(AddSaturated); len(wrong) > 0 {
		t.Errorf("%q", wrong)
	}
	plain := func(a, b int64) int64 { return a + b } // the control: it wraps, and goes past the largest that is stored
	if wrong := wrongSums(plain); len(wrong) != 4 {
		t.Errorf("of the four sums that plain addition gets wrong these were found: %q", wrong)
	}
}

// wrongSums are those of the sums around the largest that an addition gets wrong.
func wrongSums(add func(a, b int64) int64) (wrong []string) {
	for _, test := range [][3]int64{{1, 2, 3}, {MaxSum, 1, MaxSum}, {MaxSum - 1, 1, MaxSum}, {5, math.MaxInt64, MaxSum}, {math.MaxInt64, math.MaxInt64, MaxSum},
		{MaxSum, MaxSum, MaxSum}} {
		if got := add(test[0], test[1]); got != test[2] {
			wrong = append(wrong, fmt.Sprintf("%d + %d: got %d, want %d", test[0], test[1], got, test[2]))
		}
	}
	return wrong
}
