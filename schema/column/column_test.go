package column

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// most is the largest value that every mode can write: Delta doubles the difference of two.
const most = 1<<59 - 1

var names = [...]string{"constant", "plain", "delta", "rising", "sparse", "runs"}

func (m Mode) name() string { return names[m] }

// formats are all ways in which a description may want a column.
func formats() []Format {
	var all []Format
	for mode := range modes {
		for _, nullable := range []bool{false, true} {
			for _, pages := range []bool{false, true} {
				all = append(all, Format{mode, nullable, pages})
			}
		}
	}
	return all
}

func (f Format) String() string {
	return fmt.Sprintf("%s, nullable %v, pages %v", f.Mode.name(), f.Nullable, f.Pages)
}

// genColumn makes columns of each kind: alike, mostly alike, in runs, rising, and of anything.
func genColumn(f Format) *rapid.Generator[[]int64] {
	lowest := int64(0)
	if f.Nullable {
		lowest = Unknown
	}
	return rapid.Custom(func(t *rapid.T) []int64 {
		n := rapid.SampledFrom([]int{0, 1, 2, 3, 7, 40}).Draw(t, "n")
		top := rapid.SampledFrom([]int64{0, 1, 127, 128, 1 << 20, most}).Draw(t, "top")
		distinct := rapid.SampledFrom([]int{1, 2, 3, 40}).Draw(t, "distinct")
		some := rapid.SliceOfN(rapid.Int64Range(lowest, top), distinct, distinct).Draw(t, "values")
		if rapid.Bool().Draw(t, "whole pages") {
			for i, v := range some {
				some[i] = max(v&^3, lowest)
			}
		}
		values := make([]int64, n)
		for i := range values {
			values[i] = some[rapid.IntRange(0, distinct-1).Draw(t, "which")]
		}
		switch rapid.IntRange(0, 2).Draw(t, "order") {
		case 1:
			slices.Sort(values)
		case 2: // mostly the first
			for i := range values {
				if i%5 != 4 {
					values[i] = values[0]
				}
			}
		}
		if f.Mode == Rising {
			for i, v := range values {
				values[i] = max(v, 0) >> 6
			}
			slices.Sort(values)
			for i := 1; i < n; i++ {
				values[i] = max(values[i], values[i-1]+1)
			}
		}
		return values
	})
}

// read reads a column of n values into memory that holds other values.
func read(f Format, b []byte, n int) ([]int64, error) {
	values := make([]int64, n)
	for i := range values {
		values[i] = math.MinInt64 + int64(i)
	}
	return values, f.Read(values, b)
}

func TestFormat_RoundTrip(t *testing.T) {
	for _, f := range formats() {
		if f.Mode == Rising && f.Nullable {
			continue // no pid is unknown
		}
		t.Run(f.String(), rapid.MakeCheck(func(t *rapid.T) {
			want := genColumn(f).Draw(t, "column")
			b := f.Append([]byte("before"), want)
			if string(b[:6]) != "before" {
				t.Fatalf("what was there is %q", b[:6])
			}
			b = b[6:]
			got, err := read(f, b, len(want))
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("%x: got %v, error %v, want %v", b, got, err, want)
			}
			if again := f.Append(nil, want); string(again) != string(b) {
				t.Fatalf("written again: got %x, want %x", again, b)
			}
			// The mode is a matter of the writer: a reader of any other format reads the same, but for pids.
			other := Format{Mode: Plain, Nullable: f.Nullable}
			if got, err := read(other, b, len(want)); err != nil || !slices.Equal(got, want) {
				t.Fatalf("%x, read by %v: got %v, error %v, want %v", b, other, got, err, want)
			}
			if f.Mode != Rising && Mode(b[0]&^pages) != Rising {
				if _, err := read(Format{Mode: Rising, Nullable: f.Nullable}, b, len(want)); err == nil {
					t.Fatalf("%x: pids were read from mode %d", b, b[0])
				}
			}
		}))
	}
}

// A column ends at its last value, wherever it is cut and whatever follows. So does one of another number of values, but
// for the modes that write no length: a constant fits any.
func TestFormat_RefusesEveryOtherLength(t *testing.T) {
	for _, f := range formats() {
		t.Run(f.String(), rapid.MakeCheck(func(t *rapid.T) {
			values := genColumn(Format{Mode: f.Mode, Pages: f.Pages}).Filter(func(v []int64) bool { return len(v) > 0 }).Draw(t, "column")
			b := f.Append(nil, values)
			for n := range b {
				if got, err := read(f, b[:n:n], len(values)); err == nil {
					t.Fatalf("the first %d bytes of %x: got %v", n, b, got)
				}
			}
			for _, more := range []byte{0, 1, 0x80, 0xff} {
				if got, err := read(f, append(slices.Clone(b), more), len(values)); err == nil {
					t.Fatalf("%x and %02x: got %v", b, more, got)
				}
			}
			if Mode(b[0]&^pages) == Constant {
				return
			}
			if got, err := read(f, b, len(values)-1); err == nil && Mode(b[0]&^pages) != Sparse {
				t.Fatalf("%x read as %d values: got %v", b, len(values)-1, got)
			}
			if got, err := read(f, b, len(values)+1); err == nil && Mode(b[0]&^pages) != Sparse {
				t.Fatalf("%x read as %d values: got %v", b, len(values)+1, got)
			}
		}))
	}
}

func TestFormat_ChoosesMode(t *testing.T) {
	alternating := func(n int) []int64 { // as many runs as values
		values := make([]int64, n)
		for i := range values {
			values[i] = int64(i % 2)
		}
		return values
	}
	runsOf := func(runs, n int) []int64 {
		values := make([]int64, n)
		for i := range values {
			values[i] = int64(i * runs / n % 2)
		}
		return values
	}
	tests := []struct {
		name   string
		mode   Mode
		values []int64
		want   Mode
	}{
		{"none", Plain, nil, Constant},
		{"one", Delta, []int64{7}, Constant},
		{"all alike", Sparse, []int64{7, 7, 7}, Constant},
		{"no pid", Rising, nil, Rising},
		{"one pid", Rising, []int64{7}, Rising},
		{"a third are runs", Plain, runsOf(4, 12), Plain},
		{"fewer than a third are runs", Plain, runsOf(4, 13), Runs},
		{"fewer than a third are runs, of differences", Delta, runsOf(4, 13), Runs},
		{"differences", Delta, alternating(12), Delta},
		{"runs that are none", Runs, alternating(12), Plain},
		{"runs", Runs, runsOf(3, 12), Runs},
		{"half differ", Sparse, []int64{1, 1, 2, 3}, Plain},
		{"fewer than half differ", Sparse, []int64{1, 1, 1, 2, 3}, Sparse},
		{"sparse is never runs", Sparse, append(make([]int64, 20), 1), Sparse},
		{"none is common", Sparse, []int64{1, 2, 3, 4, 5}, Plain},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := Format{Mode: test.mode}.Append(nil, test.values)
			if got := Mode(b[0]); got != test.want {
				t.Errorf("got %s, want %s (%x)", got.name(), test.want.name(), b)
			}
		})
	}
}

// The bytes, by hand: what docs/wire.md says to those who write a decoder of their own.
func TestFormat_Bytes(t *testing.T) {
	tests := []struct {
		name   string
		format Format
		values []int64
		want   string
	}{
		{"constant", Format{Mode: Plain}, []int64{300, 300}, "00ac02"},
		{"constant unknown", Format{Mode: Plain, Nullable: true}, []int64{Unknown, Unknown}, "0000"},
		{"constant 0 that might be unknown", Format{Mode: Plain, Nullable: true}, []int64{0, 0}, "0001"},
		{"plain", Format{Mode: Plain}, []int64{0, 1, 300}, "010001ac02"},
		{"plain, of which one is unknown", Format{Mode: Plain, Nullable: true}, []int64{0, Unknown, 299}, "010100ac02"},
		{"pages", Format{Mode: Plain, Pages: true}, []int64{4, 8, 0}, "81010200"},
		{"pages, of which one is unknown", Format{Mode: Plain, Nullable: true, Pages: true}, []int64{4, Unknown, 0}, "81020001"},
		{"one that is no page", Format{Mode: Plain, Pages: true}, []int64{4, 8, 2}, "01040802"},
		{"delta", Format{Mode: Delta}, []int64{5, 3, 3, 70}, "020a0300" + "8601"},
		{"rising", Format{Mode: Rising}, []int64{1, 2, 10}, "03010007"},
		{"sparse", Format{Mode: Sparse}, []int64{7, 7, 9, 7, 7, 1}, "0407020209" + "0201"},
		{"runs", Format{Mode: Runs}, []int64{7, 7, 7, 7, 7, 1, 1}, "0504070101"},
		{"no mode was given", Format{}, []int64{1, 2}, "010102"},
		{"no value", Format{Mode: Plain}, nil, "00"},
		{"no pid", Format{Mode: Rising}, nil, "03"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := fmt.Sprintf("%x", test.format.Append(nil, test.values)); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func uvarints(mode byte, values ...uint64) []byte {
	b := []byte{mode}
	for _, v := range values {
		b = binary.AppendUvarint(b, v)
	}
	return b
}

func TestFormat_Refuses(t *testing.T) {
	tests := []struct {
		name   string
		format Format
		b      []byte
		n      int
		want   string
	}{
		{"nothing", Format{Mode: Plain}, nil, 0, "it is empty"},
		{"no mode", Format{Mode: Plain}, []byte{6, 1}, 1, "mode 6 is none"},
		{"bit 6", Format{Mode: Plain}, []byte{0x40, 1}, 1, "mode 64 is none"},
		{"pids that need not rise", Format{Mode: Rising}, []byte{1, 1}, 1, "mode 1, want 3"},
		{"no pids, that need not rise", Format{Mode: Rising}, []byte{0}, 0, "mode 0, want 3"},
		{"number above 2^60", Format{Mode: Plain}, uvarints(1, 1<<60+1), 1, "a number is out of range"},
		{"number above 2^64", Format{Mode: Plain}, append([]byte{1}, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02), 1, "a number is out of range"},
		{"endless number", Format{Mode: Plain}, append([]byte{1}, slices.Repeat([]byte{0x80}, 11)...), 1, "a number is out of range"},
		{"number that does not end", Format{Mode: Plain}, []byte{1, 0x80}, 1, "it ends before its last value"},
		{"difference below 0", Format{Mode: Delta}, []byte{2, 0x02, 0x03}, 2, "a number is out of range"},
		{"sum above 2^60", Format{Mode: Delta}, uvarints(2, 1<<60, 1<<60, 1<<60), 3, "a number is out of range"},
		{"pids that rise above 2^60", Format{Mode: Rising}, uvarints(3, 1<<60, 1), 2, "a number is out of range"},
		{"more others than values", Format{Mode: Sparse}, uvarints(4, 7, 4, 0, 1, 0, 1, 0, 1, 0, 1), 3, "4 values differ, of 3"},
		{"others beyond the last", Format{Mode: Sparse}, uvarints(4, 7, 1, 3, 1), 3, "value 3 of 3 differs"},
		{"others far beyond the last", Format{Mode: Sparse}, uvarints(4, 7, 1, 1<<60, 1), 3, "of 3 differs"},
		{"others without end", Format{Mode: Sparse}, uvarints(4, 7, 3, 0, 1), 3, "it ends before its last value"},
		{"run beyond the last", Format{Mode: Runs}, uvarints(5, 3, 7), 3, "a run of 4 values, where 3 are left"},
		{"run without end", Format{Mode: Runs}, uvarints(5, 1<<60, 7), 3, "where 3 are left"},
		{"second run beyond the last", Format{Mode: Runs}, uvarints(5, 1, 7, 1, 8), 3, "a run of 2 values, where 1 are left"},
		{"runs that end early", Format{Mode: Runs}, uvarints(5, 1, 7), 3, "it ends before its last value"},
		{"fewer bytes than values", Format{Mode: Plain}, []byte{1, 1}, 1 << 16, "it ends before its last value"},
		{"bytes behind a constant", Format{Mode: Plain}, []byte{0, 1, 1}, 9, "1 bytes follow its last value"},
		{"bytes behind no value", Format{Mode: Plain}, []byte{1, 1}, 0, "1 bytes follow its last value"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := read(test.format, test.b, test.n)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %d values, error %v, want it to say %q", len(got), err, test.want)
			}
		})
	}
}

// Unknown is not 0, in any mode and whether or not values are divided.
func TestFormat_UnknownIsNotZero(t *testing.T) {
	for _, f := range formats() {
		if !f.Nullable || f.Mode == Rising {
			continue
		}
		t.Run(f.String(), func(t *testing.T) {
			for _, want := range [][]int64{{Unknown}, {0}, {0, Unknown}, {Unknown, 0}, {4, Unknown, 0}, {3, Unknown, 0},
				{Unknown, Unknown, Unknown, Unknown, 0}, {0, 0, 0, 0, Unknown}, {8, 8, 8, 8, 8, Unknown, Unknown}} {
				got, err := read(f, f.Append(nil, want), len(want))
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("got %v, error %v, want %v", got, err, want)
				}
			}
		})
	}
}

// A snapshot may have 65 536 processes.
func TestFormat_ManyRows(t *testing.T) {
	const n = 1 << 16
	kinds := map[string]func(i int) int64{
		"alike":        func(int) int64 { return 12 },
		"each its own": func(i int) int64 { return int64(i) * 4 },
		"mostly alike": func(i int) int64 { return int64(i % 100 / 99 * i) },
		"in runs":      func(i int) int64 { return int64(i / 1000) },
		"up and down":  func(i int) int64 { return int64(i*7919%n) * 1000 },
	}
	for name, value := range kinds {
		t.Run(name, func(t *testing.T) {
			want := make([]int64, n)
			for i := range want {
				want[i] = value(i)
			}
			for _, f := range formats() {
				if f.Mode == Rising && name != "each its own" {
					continue
				}
				got, err := read(f, f.Append(nil, want), n)
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("%v: error %v or other values", f, err)
				}
			}
		})
	}
}

func TestFormat_AllocatesNothing(t *testing.T) {
	values := make([]int64, 1000)
	for i := range values {
		values[i] = int64(i/3) * 4
	}
	for _, f := range formats() {
		if f.Mode == Rising {
			continue
		}
		b := f.Append(nil, values)
		allocs := testing.AllocsPerRun(10, func() {
			b = f.Append(b[:0], values)
			if err := f.Read(values, b); err != nil {
				t.Error(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%v: got %v allocations, want 0", f, allocs)
		}
	}
}

// Numbers are written as encoding/binary writes them, whatever their length.
func TestFormat_PlainIsUvarint(t *testing.T) {
	var values []int64
	want := []byte{byte(Plain)}
	for shift := range 59 {
		for _, v := range []int64{1<<shift - 1, 1 << shift, 1<<shift | 1<<shift>>3} {
			values = append(values, v)
			want = binary.AppendUvarint(want, uint64(v))
		}
	}
	if got := (Format{Mode: Plain}).Append(nil, values); !slices.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

// A survey of any values tells of them what a look at each does.
func TestSurveyOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(-3, 9), 0, 12).Draw(t, "values")
		s, runs := SurveyOf(values), len(slices.Compact(slices.Clone(values)))
		pages := !slices.ContainsFunc(values, func(v int64) bool { return v >= 0 && v%4 != 0 })
		if s.runs != runs || divide(values, s) != pages {
			t.Errorf("%v: got %d runs, pages %t, want %d, %t", values, s.runs, divide(values, s), runs, pages)
		}
		for _, f := range formats() {
			lowest := int64(0)
			if f.Nullable {
				lowest = Unknown
			}
			for _, most := range []int64{0, 4, 9, 1 << 50} {
				want := !slices.ContainsFunc(values, func(v int64) bool { return v < lowest || v > most })
				near := slices.ContainsFunc(values, func(v int64) bool { return 2*(v+1) > most }) // and it may ask for a closer look
				if got := s.Within(most, f.Nullable); got && !want || want && !got && !near {
					t.Errorf("%v, %v: within %d: got %t, want %t", f, values, most, got, want)
				}
			}
		}
	})
}
