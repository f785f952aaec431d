package gpu

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/proctape/proctape/schema"
)

func TestParseGPU(t *testing.T) {
	tests := map[string]struct {
		line string
		want schema.GPU
	}{
		"all known":              {"0, 7, 1024, 8192, 45", known(0, 70, 1<<20, 8<<20, 450)},
		"idle":                   {"3, 0, 0, 8192, 0", known(3, 0, 0, 8<<20, 0)},
		"blanks do not matter":   {" 1,100,1 ,  2,3\r", known(1, 1000, 1024, 2048, 30)},
		"not applicable":         {"0, [N/A], N/A, [N/A], [N/A]", schema.GPU{}},
		"every word in brackets": {"2, [Not Supported], [Not Found], [Unknown Error], [GPU requires reset]", schema.GPU{Index: 2}},
		"the highest index":      {"511, [N/A], [N/A], [N/A], [N/A]", schema.GPU{Index: 511}},
		"the most memory":        {"0, 0, 68719476736, 0, 0", known(0, 0, 1<<46, 0, 0)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got, odd, err := parseGPU(tt.line); err != nil || odd != nil || got != tt.want {
				t.Errorf("got %+v, %v, %v, want %+v", got, odd, err, tt.want)
			}
		})
	}
}

func TestParseGPU_Refuses(t *testing.T) {
	tests := map[string]struct{ line, want string }{
		"nothing":             {"", "1 fields, not 5"},
		"prose":               {"No devices were found", "1 fields, not 5"},
		"one field short":     {"0, 7, 1024, 8192", "4 fields, not 5"},
		"one field more":      {"0, 7, 1024, 8192, 45, 1", "6 fields, not 5"},
		"unknown index":       {"[N/A], 7, 1024, 8192, 45", "index is"},
		"index too high":      {"512, 7, 1024, 8192, 45", `index is "512"`},
		"negative index":      {"-1, 7, 1024, 8192, 45", "index is"},
		"too long, else good": {"0, 7, 1024, 8192, " + strings.Repeat(" ", maxLine) + "45", "longer than 1024 bytes"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got, _, err := parseGPU(tt.line); err == nil || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 500 {
				t.Errorf("got %+v, %v, want an error that says %q", got, err, tt.want)
			}
		})
	}
}

// What cannot be read costs itself alone.
func TestParseGPU_OddValues(t *testing.T) {
	for line, want := range map[string]struct {
		gpu schema.GPU
		odd string
	}{
		"0, 7 %, 1024, 8192, 45":                 {without(known(0, 70, 1<<20, 8<<20, 450), "u"), `of GPU 0 utilization is "7 %"`},
		"1, 101, 1024, 8192, 45":                 {without(known(1, 0, 1<<20, 8<<20, 450), "u"), `utilization is "101"`},
		"0, +7, 1024, 8192, 45":                  {without(known(0, 0, 1<<20, 8<<20, 450), "u"), "utilization is"},
		"0, 7, 1024.5, 8192, 45":                 {without(known(0, 70, 0, 8<<20, 450), "m"), "used memory is"},
		"0, 7, 1024, , 45":                       {without(known(0, 70, 1<<20, 0, 450), "t"), `total memory is ""`},
		"0, 7, 1024, 8192, []":                   {without(known(0, 70, 1<<20, 8<<20, 0), "c"), `temperature is "[]"`},
		"0, 7, 1099511627777, 8192, 45":          {without(known(0, 70, 0, 8<<20, 450), "m"), "used memory is"},
		"0, 7, 99999999999999999999, 8192, 45":   {without(known(0, 70, 0, 8<<20, 450), "m"), "used memory is"},
		"0, 7, 1024, [N/A, 45":                   {without(known(0, 70, 1<<20, 0, 450), "t"), `total memory is "[N/A"`},
		"3, ERR!, ERR!, 81920, ERR!":             {without(known(3, 0, 0, 80<<20, 0), "umc"), `of GPU 3 utilization is "ERR!", used memory is "ERR!", temperature is "ERR!"`},
		"2, [GPU requires reset], lost, N/A, 30": {without(known(2, 0, 0, 0, 300), "umt"), `of GPU 2 used memory is "lost"`},
	} {
		if got, odd, err := parseGPU(line); err != nil || got != want.gpu || odd == nil || !strings.Contains(odd.Error(), want.odd) || len(odd.Error()) > 500 {
			t.Errorf("%s: got %+v, %v, %v, want %+v and %q", line, got, odd, err, want.gpu, want.odd)
		}
	}
}

// without is a GPU of which some values are unknown: utilization, memory, total, temperature (Celsius).
func without(g schema.GPU, unknown string) schema.GPU {
	for letter, value := range map[string]*schema.Opt[int64]{"u": &g.Utilization, "m": &g.MemoryUsed, "t": &g.MemoryTotal, "c": &g.Temperature} {
		if strings.Contains(unknown, letter) {
			*value = schema.Opt[int64]{}
		}
	}
	return g
}

func TestParseApp(t *testing.T) {
	tests := map[string]struct {
		line string
		app  app
		kib  schema.Opt[int64]
		odd  string
		err  string
	}{
		"known":          {line: "GPU-1, 42, 100", app: app{"GPU-1", 42}, kib: schema.Some[int64](100 << 10)},
		"unknown memory": {line: "GPU-1, 42, [N/A]", app: app{"GPU-1", 42}},
		"no GPU":         {line: ", 42, 100", err: `GPU is ""`},
		"long GPU":       {line: strings.Repeat("G", 129) + ", 42, 100", err: "GPU is"},
		"no process":     {line: "GPU-1, 0, 100", err: `pid is "0"`},
		"unknown pid":    {line: "GPU-1, [N/A], 100", err: "pid is"},
		"pid too large":  {line: "GPU-1, 2147483648, 100", err: "pid is"},
		"prose":          {line: "No running processes found", err: "1 fields, not 3"},
		"bad memory":     {line: "GPU-1, 42, 100 MiB", app: app{"GPU-1", 42}, odd: `of process 42 memory is "100 MiB"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a, kib, odd, err := parseApp(tt.line)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v, want an error that says %q", err, tt.err)
				}
				return
			}
			if err != nil || a != tt.app || kib != tt.kib || fmt.Sprint(odd) != cmp.Or(tt.odd, "<nil>") {
				t.Errorf("got %+v, %+v, %v, %v, want %+v, %+v, %s", a, kib, odd, err, tt.app, tt.kib, tt.odd)
			}
		})
	}
}

// What is parsed reads back the same once written as nvidia-smi writes it.
func FuzzParseGPU(f *testing.F) {
	f.Add("0, 7, 1024, 8192, 45")
	f.Add("1, [N/A], [Not Supported], [Unknown Error], N/A")
	f.Fuzz(func(t *testing.T, line string) {
		g, _, err := parseGPU(line)
		if err != nil {
			return
		}
		again, odd, err := parseGPU(fmt.Sprintf("%d, %s, %s, %s, %s", g.Index, field(g.Utilization, 10), field(g.MemoryUsed, 1024),
			field(g.MemoryTotal, 1024), field(g.Temperature, 10)))
		if err != nil || odd != nil || again != g {
			t.Errorf("got %+v, %v, want %+v", again, err, g)
		}
	})
}

func FuzzParseApp(f *testing.F) {
	f.Add("GPU-0af1, 4242, 100")
	f.Add("GPU-0af1, 4242, [N/A]")
	f.Fuzz(func(t *testing.T, line string) {
		a, kib, _, err := parseApp(line)
		if err != nil {
			return
		}
		againApp, againKiB, _, err := parseApp(fmt.Sprintf("%s, %d, %s", a.gpu, a.pid, field(kib, 1024)))
		if err != nil || againApp != a || againKiB != kib {
			t.Errorf("got %+v, %+v, %v, want %+v, %+v", againApp, againKiB, err, a, kib)
		}
	})
}

func field(v schema.Opt[int64], scale int64) string {
	if !v.Known {
		return "[N/A]"
	}
	return fmt.Sprint(v.V / scale)
}

// However the output is cut into pieces, the lines are the same.
func TestLines_WhateverThePieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOf(rapid.StringMatching(`[a-z, ]{0,9}`)).Draw(t, "lines")
		text := strings.Join(append(want[:len(want):len(want)], "unfinished"), "\n")
		var got []string
		l := &lines{take: func(line string) { got = append(got, line) }}
		for text != "" {
			n := rapid.IntRange(1, len(text)).Draw(t, "piece")
			if written, err := l.Write([]byte(text[:n])); written != n || err != nil {
				t.Fatalf("wrote %d, %v, want %d", written, err, n)
			}
			text = text[n:]
		}
		if len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestLines_KeepsNoMoreThanALine(t *testing.T) {
	var got []string
	l := &lines{take: func(line string) { got = append(got, line) }}
	for range 1000 {
		fmt.Fprint(l, strings.Repeat("x", 1000))
	}
	fmt.Fprint(l, "\nshort\n")
	if len(got) != 2 || len(got[0]) != maxLine+1 || got[1] != "short" || cap(l.part) > 4*maxLine {
		t.Errorf("got %d lines, first of %d bytes, and kept %d", len(got), len(got[0]), cap(l.part))
	}
}

func TestHead_KeepsTheBeginning(t *testing.T) {
	h := &head{max: 5}
	for _, s := range []string{"abc", "def", "ghi"} {
		if n, err := h.Write([]byte(s)); n != 3 || err != nil {
			t.Errorf("wrote %d, %v, want 3", n, err)
		}
	}
	if string(h.data) != "abcde" {
		t.Errorf("got %q, want abcde", h.data)
	}
}
