package column

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

// roundTrip writes texts as a column and reads them.
func roundTrip(table *Table, values []string, mode Mode, limit int) ([]string, error) {
	count := len(table.Collect(values))
	texts, _ := table.AppendTexts(nil, limit)
	indices := table.AppendIndices(nil, mode)
	read, err := ReadTexts(texts, count, limit)
	if err != nil {
		return nil, err
	}
	places := make([]int64, len(values))
	if err := ReadPlaces(places, indices, len(read)); err != nil {
		return nil, err
	}
	got := make([]string, len(values))
	for i, at := range places {
		got[i] = read[at]
	}
	return got, nil
}

func TestTable_RoundTrip(t *testing.T) {
	for _, mode := range []Mode{Plain, Delta, Runs, Sparse} {
		var table Table // its memory is used again
		t.Run(mode.name(), rapid.MakeCheck(func(t *rapid.T) {
			text := rapid.StringOfN(rapid.Rune().Filter(func(r rune) bool { return r != 0 }), 0, 8, -1)
			some := append(rapid.SliceOfN(text, 0, 5).Draw(t, "texts"), "")
			want := rapid.SliceOfN(rapid.SampledFrom(some), 0, 40).Draw(t, "column")
			got, err := roundTrip(&table, want, mode, 100)
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("got %q, error %v, want %q", got, err, want)
			}
		}))
	}
}

// Each distinct text stands in the table once, by first use: whoever checks the table checks each once.
func TestTable_Collect(t *testing.T) {
	var table Table
	for _, test := range []struct{ column, want []string }{
		{nil, nil},
		{[]string{""}, []string{""}},
		{[]string{"b", "a", "b", "b", "", "a"}, []string{"b", "a", ""}},
		{slices.Repeat([]string{"x", "x", "y"}, 1000), []string{"x", "y"}},
		{[]string{"c"}, []string{"c"}},
	} {
		if got := table.Collect(test.column); !slices.Equal(got, test.want) {
			t.Errorf("%d texts: got %.80q, want %q", len(test.column), got, test.want)
		}
	}
}

func TestTable_Bytes(t *testing.T) {
	var table Table
	table.Collect([]string{"make", "", "make", "größe"})
	texts, _ := table.AppendTexts(nil, 100)
	if got, want := fmt.Sprintf("%x", texts), "040007"+fmt.Sprintf("%x", "makegröße"); got != want {
		t.Errorf("table: got %s, want %s", got, want)
	}
	if got, want := fmt.Sprintf("%x", table.AppendIndices(nil, Delta)), "0200020104"; got != want {
		t.Errorf("indices: got %s, want %s", got, want)
	}
}

// A cleared table keeps no text alive.
func TestTable_ClearLetsGo(t *testing.T) {
	var table Table
	text := strings.Repeat("x", 100)
	table.Collect([]string{text, "y"})
	table.Clear()
	taken := slices.ContainsFunc(table.slots, func(at int32) bool { return at != 0 })
	if taken || len(table.texts) != 0 || slices.ContainsFunc(table.texts[:cap(table.texts)], func(s string) bool { return s != "" }) {
		t.Errorf("slots taken: %t, texts %.20q, want none", taken, table.texts[:cap(table.texts)])
	}
}

func TestReadTexts_Refuses(t *testing.T) {
	tests := []struct {
		name  string
		b     string
		count int
		want  string
	}{
		{"more texts than bytes", "\x01a", 3, "3 texts in 2 bytes"},
		{"texts of nothing", "", 1, "1 texts in 0 bytes"},
		{"length that does not end", "\x81", 1, "it ends before its last value"},
		{"lengths that end early", "\x81\x80\x80", 2, "it ends before its last value"},
		{"text above the limit", "\x0b01234567890", 1, "text of 11 bytes, the limit is 10"},
		{"length of 2^59", "\x80\x80\x80\x80\x80\x80\x80\x80\x08", 1, "the limit is 10"},
		{"lengths beyond the bytes", "\x02\x02abc", 2, "texts of 4 bytes in 3"},
		{"bytes beyond the lengths", "\x01\x01abc", 2, "texts of 2 bytes in 3"},
		{"bytes of no text", "abc", 0, "texts of 0 bytes in 3"},
		{"not UTF-8", "\x01\xff", 1, "its texts are not UTF-8"},
		{"a cut character", "\x01\xc3", 1, "its texts are not UTF-8"},
		{"a text within a character", "\x01\x01ß", 2, "a text begins within a character"},
		{"a text within a later character", "\x01\x02\x01\x02aß€", 4, "a text begins within a character"},
		{"a surrogate", "\x03\xed\xa0\x80", 1, "its texts are not UTF-8"},
		{"a NUL", "\x03a\x00b", 1, "a text holds a NUL"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := ReadTexts([]byte(test.b), test.count, 10)
			if got != nil || err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %q, error %v, want it to say %q", got, err, test.want)
			}
		})
	}
}

func TestReadTexts_Limits(t *testing.T) {
	got, err := ReadTexts([]byte("\x0a\x00\x00"+"0123456789"), 3, 10)
	if want := []string{"0123456789", "", ""}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, error %v, want %q", got, err, want)
	}
	if got, err := ReadTexts(nil, 0, 10); err != nil || len(got) != 0 {
		t.Errorf("no texts: got %q, error %v", got, err)
	}
}

func TestReadTexts_EveryTruncationIsAnError(t *testing.T) {
	var table Table
	count := len(table.Collect([]string{"make -j8", "größe", "", "€"}))
	b, _ := table.AppendTexts(nil, 100)
	for n := range b {
		if got, err := ReadTexts(b[:n:n], count, 100); err == nil {
			t.Errorf("the first %d of %d bytes: got %q", n, len(b), got)
		}
	}
}

func TestReadPlaces_Refuses(t *testing.T) {
	for _, test := range []struct{ name, b, want string }{
		{"beyond the table", "\x01\x00\x02", "text 2 of 2"},
		{"beyond the table, divided", "\x81\x00\x01", "text 4 of 2"},
		{"constant beyond the table", "\x00\x02", "text 2 of 2"},
		{"nothing", "", "it is empty"},
		{"too few", "\x01\x00", "it ends before its last value"},
		{"too many", "\x01\x00\x00\x00", "1 bytes follow"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := ReadPlaces(make([]int64, 2), []byte(test.b), 2)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want it to say %q", err, test.want)
			}
		})
	}
	if err := ReadPlaces(make([]int64, 2), []byte("\x00\x00"), 0); err == nil {
		t.Error("a table of none: got no error")
	}
}

// All texts of a table are parts of one string, which is no part of the message.
func TestReadTexts_OneCopy(t *testing.T) {
	b := []byte("\x01\x02\x03abbccc")
	texts, err := ReadTexts(b, 3, 10)
	if err != nil {
		t.Fatal(err)
	}
	for i, offset := range []uintptr{0, 1, 3} {
		if got := uintptr(unsafe.Pointer(unsafe.StringData(texts[i]))) - uintptr(unsafe.Pointer(unsafe.StringData(texts[0]))); got != offset {
			t.Errorf("text %d lies at %d of the first, want %d", i, got, offset)
		}
	}
	clear(b)
	if !slices.Equal(texts, []string{"a", "bb", "ccc"}) {
		t.Errorf("got %q after the message's bytes changed", texts)
	}
}

// A table of texts allocates 24 bytes a text, which takes a byte, and a copy of their bytes.
func TestReadTexts_Allocation(t *testing.T) {
	for name, b := range map[string][]byte{
		"empty texts": make([]byte, 1<<16), "lengths that lie": slices.Repeat([]byte{1}, 1<<16), "not UTF-8": slices.Repeat([]byte{0xff}, 1<<16),
	} {
		for _, count := range []int{1, len(b), len(b) + 1, 1 << 40} {
			got := allocated(func() { _, _ = ReadTexts(b, count, 10) })
			if limit := uint64(25*len(b) + 4<<10); got > limit {
				t.Errorf("%d %s: allocated %d bytes for %d, the limit is %d", count, name, got, len(b), limit)
			}
		}
	}
}

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
