package column

import (
	"slices"
	"testing"
)

// FuzzFormat_Read reads any bytes as a column. What is read is read again from what is written of it.
func FuzzFormat_Read(f *testing.F) {
	for _, values := range [][]int64{nil, {1}, {1, 2, 3, 900}, {Unknown, 0, 4, 8}, {7, 7, 7, 7, 9, 7, 7}, {1, 1, 1, 1, 1, 1, 1, 2, 2, 2}} {
		for _, format := range formats() {
			f.Add(format.Append(nil, values), uint16(len(values)), uint8(format.Mode), format.Nullable)
		}
	}
	f.Add([]byte{5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f, 0}, uint16(3), uint8(Runs), false)
	values := make([]int64, 1<<16)
	f.Fuzz(func(t *testing.T, b []byte, n uint16, mode uint8, nullable bool) {
		if err := checkRead(Format{Mode: Mode(mode) % modes, Nullable: nullable}, values[:n], b); err != "" {
			t.Error(err)
		}
	})
}

// checkRead returns what is wrong with how a column is read, which may be refused.
func checkRead(f Format, values []int64, b []byte) string {
	if f.Read(values, b) != nil {
		return ""
	}
	lowest := int64(0)
	if f.Nullable {
		lowest = Unknown
	}
	for _, v := range values {
		if v < lowest || v > largest<<2 {
			return "a value is out of range"
		}
		if v > most { // beyond what a writer may be given
			return ""
		}
	}
	again := make([]int64, len(values))
	if err := f.Read(again, f.Append(nil, values)); err != nil || !slices.Equal(again, values) {
		return "what is written again reads as something else"
	}
	return ""
}
