package procfs

import (
	"strings"
	"testing"
)

func TestParseStat(t *testing.T) {
	tests := map[string]struct{ comm string }{
		"plain":       {"cat"},
		"blanks":      {"Web Content"},
		"parentheses": {"a) S 1 (b"},
		"newline":     {"two\nlines"},
		"empty":       {""},
		"not UTF-8":   {"\xff\x01)"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseStat([]byte(statLine(42, test.comm, 'R', 700)))
			if err != nil {
				t.Fatal(err)
			}
			if string(got.comm) != test.comm {
				t.Errorf("comm: got %q, want %q", got.comm, test.comm)
			}
			got.comm = nil
			want := stat{
				pid: 42, ppid: 1, state: 'R', flags: 4194560, StatCounters: StatCounters{MinorFaults: 150, MajorFaults: 2}, utime: 7, stime: 5,
				threads: 3, start: 700, startCode: 94000, startStack: 140700,
			}
			if !equalStat(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestParseStat_ErrorNamesField(t *testing.T) {
	line := statLine(42, "cat", 'R', 700)
	tests := map[string]struct {
		data, want string
		alone      bool // it costs that field alone
	}{
		"empty":          {"", "2 (comm)", false},
		"no comm":        {"42 cat R", "2 (comm)", false},
		"reversed":       {"42 )cat( R", "2 (comm)", false},
		"no pid":         {"(cat) R 1", "1 (pid)", false},
		"negative pid":   {"-1 (cat) R 1", "1 (pid)", false},
		"ends at comm":   {"42 (cat)", "22 (starttime)", false},
		"long state":     {strings.Replace(line, "R 1 ", "RS 1 ", 1), "3 (state)", true},
		"ends early":     {line[:strings.Index(line, "150")], "22 (starttime)", false},
		"garbled ppid":   {strings.Replace(line, "R 1 ", "R x ", 1), "4 (ppid)", true},
		"negative start": {strings.Replace(line, " 700 ", " -700 ", 1), "22 (starttime)", false},
		"start too big":  {strings.Replace(line, " 700 ", " 18446744073709551616 ", 1), "22 (starttime)", false},
		"ends late":      {strings.Join(strings.Fields(line)[:25], " "), "26 (startcode)", true},
		"wrapped CPU":    {strings.Replace(line, " 7 5 ", " 18446744073709551615 5 ", 1), "14 (utime)", true},
		"wrapped faults": {strings.Replace(line, " 150 ", " 18446744073709551615 ", 1), "10 (minflt)", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseStat([]byte(test.data))
			if test.alone && err == nil {
				err = got.wrong
			}
			if err == nil {
				t.Fatalf("got %+v, want an error", got)
			}
			if !strings.Contains(err.Error(), "field "+test.want+" is") {
				t.Errorf("got error %q, want it to name field %s", err, test.want)
			}
		})
	}
}

func TestStat_ExecutedSince(t *testing.T) {
	before := stat{state: 'S', startCode: 10, startStack: 20}
	tests := map[string]struct {
		now  stat
		want bool
	}{
		"same":        {stat{state: 'R', startCode: 10, startStack: 20}, false},
		"other code":  {stat{state: 'S', startCode: 11, startStack: 20}, true},
		"other stack": {stat{state: 'S', startCode: 10, startStack: 21}, true},
		"zombie":      {stat{state: 'Z'}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := test.now.executedSince(before); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
