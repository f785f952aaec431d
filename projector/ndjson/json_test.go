package ndjson

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestAppendString(t *testing.T) {
	tests := []struct {
		name, in, want string
	}{
		{"empty", "", `""`},
		{"plain", "sleep 60", `"sleep 60"`},
		{"quote and backslash", `a"b\c`, `"a\"b\\c"`},
		{"newline", "a\nb", `"a\nb"`},
		{"tab and return", "a\tb\r", `"a\tb\r"`},
		{"NUL", "a\x00b", `"a\u0000b"`},
		{"escape", "\x1b[31m", `"\u001b[31m"`},
		{"unit separator", "\x1f", `"\u001f"`},
		{"DEL", "\x7f", `"\u007f"`},
		{"invalid byte", "a\xffb", `"a` + "\uFFFD" + `b"`},
		{"invalid bytes", "\xff\xfe", `"` + "\uFFFD\uFFFD" + `"`},
		{"cut rune", "a\xe2\x82", `"a` + "\uFFFD\uFFFD" + `"`},
		{"surrogate", "\xed\xa0\x80", `"` + "\uFFFD\uFFFD\uFFFD" + `"`},
		{"replacement character itself", "\uFFFD", `"` + "\uFFFD" + `"`},
		{"line separator", "a\u2028b", "\"a\u2028b\""},
		{"beyond the BMP", "🦀", `"🦀"`},
		{"HTML", "<a href=x>&", `"<a href=x>&"`},
		{"forged line", "x\"}\n{\"timestamp\":1}", `"x\"}\n{\"timestamp\":1}"`},
		{"escape at the end of a run", "abc\n", `"abc\n"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := string(appendString(nil, test.in)); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if got := string(appendString([]byte("before"), test.in)); got != "before"+test.want {
				t.Errorf("appended: got %s, want %s", got, "before"+test.want)
			}
		})
	}
}

// FuzzAppendString compares what a reader gets with what it gets from the standard encoder.
func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", "a\"b\\c\n", "\x00\x1f\x7f", "\xff\xc3\x28", "\u2028\u2029\uFFFD", "\xed\xa0\x80", "🦀\xf0\x9f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		line := appendString(nil, s)
		for i, c := range line {
			if c < 0x20 || c == 0x7f {
				t.Fatalf("byte %d of %q is the control character %#x", i, line, c)
			}
		}
		if !utf8.Valid(line) {
			t.Fatalf("%q is not UTF-8", line)
		}
		var got, want string
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("parse %q: %v", line, err)
		}
		standard, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(standard, &want); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
		if utf8.ValidString(s) && got != s {
			t.Fatalf("got %q, want %q", got, s)
		}
	})
}

func TestAppendFloat(t *testing.T) {
	tests := []struct {
		name string
		in   float64
		want string
	}{
		{"zero", 0, "0"},
		{"whole", 285, "285"},
		{"fraction", 285.5, "285.5"},
		{"binary fraction", 1.0 / 1024, "0.0009765625"},
		{"negative", -0.5, "-0.5"},
		{"no exponent for what is small", 1e-9, "0.000000001"},
		{"no exponent for what is large", 1e21, "1000000000000000000000"},
		{"timestamp", 1764990000.25, "1764990000.25"},
		{"not a number", math.NaN(), "null"},
		{"infinity", math.Inf(1), "null"},
		{"negative infinity", math.Inf(-1), "null"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := string(appendFloat(nil, test.in)); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// Every number reads back as the same bits, and has the standard encoder's text where that one uses no exponent.
func TestAppendFloat_AsStandard(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float64().Draw(t, "v")
		if rapid.Bool().Draw(t, "as sizes are") {
			v = float64(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "kib")) / 1024
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return
		}
		got := appendFloat(nil, v)
		back, err := strconv.ParseFloat(string(got), 64)
		if err != nil || math.Float64bits(back) != math.Float64bits(v) {
			t.Fatalf("%v became %s and then %v (%v)", v, got, back, err)
		}
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.ContainsRune(want, 'e') && !bytes.Equal(got, want) {
			t.Fatalf("got %s, want %s", got, want)
		}
	})
}

// Numbers that are written without a float have the text that a float would have.
func TestAppendDecimal_AsFloat(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digits := rapid.IntRange(0, 9).Draw(t, "digits")
		v := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-1000, 1<<20), rapid.Int64Range(1e15-1000, 1e15+1000)).Draw(t, "v")
		want := string(appendFloat(nil, float64(v)/math.Pow10(digits)))
		if got := string(appendDecimal(nil, v, digits)); got != want {
			t.Fatalf("%d with %d digits: got %s, want %s", v, digits, got, want)
		}
	})
}

func TestAppendMiB_AsFloat(t *testing.T) {
	check := func(t rapid.TB, kib int64) {
		if got, want := string(appendMiB(nil, kib)), string(appendFloat(nil, float64(kib)/1024)); got != want {
			t.Fatalf("%d KiB: got %s, want %s", kib, got, want)
		}
	}
	for kib := range int64(1 << 16) {
		check(t, kib)
		check(t, maxExactMiB-1-kib)
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, rapid.OneOf(rapid.Int64(), rapid.Int64Range(-1000, 2*maxExactMiB)).Draw(t, "kib"))
	})
}

func TestAppendLists(t *testing.T) {
	identity := func(v *float64) float64 { return *v }
	tests := []struct {
		name      string
		got, want string
	}{
		{"no integers", string(AppendInts(nil, nil)), "[]"},
		{"integers", string(AppendInts(nil, []int64{1, -2, math.MaxInt64})), "[1,-2,9223372036854775807]"},
		{"no numbers", string(AppendFloats(nil, nil, identity)), "[]"},
		{"numbers", string(AppendFloats(nil, []float64{0, 1.5}, identity)), "[0,1.5]"},
		{"no strings", string(AppendStrings(nil, nil)), "[]"},
		{"strings", string(AppendStrings(nil, []string{"a\n", ""})), `["a\n",""]`},
		{"no GPUs", string(AppendGPUs(nil, nil)), "[]"},
		{"no jobs", string(AppendJobProgress(nil, nil)), "[]"},
		{"no system calls", string(AppendSyscallCounts(nil, nil)), "{}"},
		{"no times", string(AppendSyscallTimes(nil, nil)), "{}"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.got != test.want {
				t.Errorf("got %s, want %s", test.got, test.want)
			}
		})
	}
}
