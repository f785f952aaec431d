package syscalls

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/proctape/proctape/schema"
)

func TestParseSummary(t *testing.T) {
	tests := map[string][]schema.Syscall{
		"errors":  {{Name: "futex", Calls: 1200, TimeX100: 6000}, {Name: "openat", Calls: 20, TimeX100: 4000}, {Name: "read", Calls: 9}},
		"blank":   {{Name: "read", Calls: 23917, TimeX100: 5037}, {Name: "write", Calls: 23916, TimeX100: 4963}},
		"no time": {{Name: "close", Calls: 2}, {Name: "restart_syscall", Calls: 1}},
		// A shell of 64 bits that started a program of 32.
		"two sizes": {{Name: "getppid", Calls: 300, TimeX100: 8889}, {Name: "nanosleep", Calls: 10, TimeX100: 1111}},
		"nothing":   nil,
		// A process that was killed: strace 6.1 prints a line of its trace before the table.
		"killed": {{Name: "write", Calls: 2100, TimeX100: 5217}, {Name: "read", Calls: 2101, TimeX100: 4783}},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile("testdata/" + strings.ReplaceAll(name, " ", "-") + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			if got, err := parseSummary(string(text)); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %v, want %+v", got, err, want)
			}
		})
	}
}

const (
	top  = "% time     seconds  usecs/call     calls    errors syscall\n"
	rule = "------ ----------- ----------- --------- --------- ----------------\n"
	end  = rule + "100.00    0.137475           2     47833           total\n"
)

func TestParseSummary_Refuses(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"prose":              {"hello\n", `unexpected line "hello\n"`},
		"no header":          {rule + end, "unexpected line"},
		"other columns":      {"% time seconds calls syscall\n" + rule + end, "unexpected line"},
		"no rule":            {top + "50.00 0.000001 1 1 read\n" + end, "unexpected line"},
		"no end":             {top + rule + "50.00 0.000001 1 1 read\n", "no end"},
		"no total":           {top + rule + "50.00 0.000001 1 1 read\n" + rule, "no end"},
		"other than a total": {top + rule + "50.00 0.000001 1 1 read\n" + rule + "50.00 0.000001 1 1 write\n", "unexpected line"},
		"four fields":        {top + rule + "50.00 0.000001 1 read\n" + end, "4 fields"},
		"seven fields":       {top + rule + "50.00 0.000001 1 1 1 1 read\n" + end, "7 fields"},
		"comma":              {top + rule + "50,00 0,000001 1 1 read\n" + end, "seconds are no number"},
		"milliseconds":       {top + rule + "50.00 0.001 1 1 read\n" + end, "seconds are no number"},
		"negative":           {top + rule + "50.00 -0.000001 1 1 read\n" + end, "seconds are no number"},
		"endless":            {top + rule + "50.00 9999999999.000000 1 1 read\n" + end, "seconds are no number"},
		"calls":              {top + rule + "50.00 0.000001 1 1k read\n" + end, "calls are no number"},
		"too many calls":     {top + rule + "50.00 0.000001 1 281474976710656 read\n" + end, "calls are no number"},
		"a pid alone":        {"7470\n" + top + rule + end, `unexpected line "7470\n"`},
		"a pid and prose":    {"7470 hello\n" + top + rule + end, `unexpected line "7470 hello\n"`},
		"trace in the table": {top + rule + "7470  ???( <detached ...>\n" + end, "4 fields, not 5 or 6"},
		"name":               {top + rule + "50.00 0.000001 1 1 re/ad\n" + end, "no name"},
		"long name":          {top + rule + "50.00 0.000001 1 1 " + strings.Repeat("r", 65) + "\n" + end, "no name"},
		"too many":           {top + rule + strings.Repeat("50.00 0.000001 1 1 read\n", maxCalls+1) + end, "more than 1024"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseSummary(tt.text)
			if err == nil || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 200 {
				t.Errorf("got %+v, %v, want an error that says %q", got, err, tt.want)
			}
		})
	}
}

// traces are lines of a trace. A process that ends while strace asks about it may leave any of them before the tables.
var traces = []string{
	"7470  ???( <detached ...>", "7470  ????( <detached ...>", "7470  ???( <unfinished ...>",
	"7470 ???() = ? <unavailable>", "7470  ???( <ptrace(SYSCALL):No such process>", "7470  <ptrace(SYSCALL):No such process>",
	" <ptrace(SYSCALL):No such process>", "7470  read(0,  <unfinished ...>", "7470  <... read resumed>\"\", 1) = 1",
	"7470  <... read resumed> <unfinished ...>) = ?", "7470  +++ exited with 0 +++", "7470  +++ killed by SIGKILL +++",
	"7470  +++ superseded by execve in pid 7471 +++", "7470  --- SIGCHLD {si_signo=SIGCHLD, si_pid=7471} ---",
	"7470  --- stopped by SIGSTOP ---", "7470  exit_group(0) = ?", "7470  syscall_0x1f4(0x1, 0x2) = -1 ENOSYS (Function not implemented)",
}

func TestParseSummary_LinesOfATrace(t *testing.T) {
	table := top + rule + "100.00 0.000001 1 1 read\n" + end
	want := []schema.Syscall{{Name: "read", Calls: 1, TimeX100: 10000}}
	for _, line := range traces {
		if got, err := parseSummary(line + "\n" + table + line + "\n"); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v, want %+v", line, got, err, want)
		}
		if got, err := parseSummary(line + "\n"); err != nil || got != nil || hasTable(line+"\n") {
			t.Errorf("%s: got %+v, %v, want no calls and no table", line, got, err)
		}
	}
}

// What is parsed can be published, and reads back the same once written as strace writes it.
func FuzzParseSummary(f *testing.F) {
	for _, name := range []string{"errors", "blank", "no-time", "two-sizes", "nothing", "killed"} {
		text, err := os.ReadFile("testdata/" + name + ".txt")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	for _, line := range traces {
		f.Add(line + "\n" + top + rule + "100.00 0.000001 1 1 read\n" + end)
		f.Add(line + "\n")
	}
	f.Fuzz(func(t *testing.T, text string) {
		calls, err := parseSummary(text)
		if err != nil {
			return
		}
		written := top + rule
		for _, c := range calls {
			if c.TimeX100 > 10000 || len(calls) > maxCalls {
				t.Fatalf("got %+v in %d calls", c, len(calls))
			}
			written += fmt.Sprintf("0.00 %d.%06d 0 %d %s\n", c.TimeX100/1e6, c.TimeX100%1e6, c.Calls, c.Name)
		}
		rows, err := parseRows(written + end)
		if err != nil || len(rows) != len(calls) {
			t.Fatalf("got %+v, %v, want %+v", rows, err, calls)
		}
		for i, c := range calls {
			if (rows[i] != call{c.Name, c.Calls, c.TimeX100}) {
				t.Errorf("got %+v, want %+v", rows[i], c)
			}
		}
	})
}

func TestParseTarget(t *testing.T) {
	const status = "Name:\tx\nTgid:\t7\nNgid:\t0\nPid:\t7\nTracerPid:\t12\n"
	stat := "7 (a) S (b) R 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0"
	want := target{start: 4711, state: "R", tgid: 7, tracer: 12}
	if got, err := parseTarget([]byte(stat), []byte(status)); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for name, tt := range map[string]struct{ stat, status, want string }{
		"empty":        {"", "", "stat is cut short"},
		"short":        {"7 (a) R 1 7", status, "stat is cut short"},
		"start":        {strings.Replace(stat, "4711", "x", 1), status, `field 22 (start time) is "x"`},
		"no tracer":    {stat, "Tgid:\t7\n", "status has no line TracerPid:"},
		"odd tracer":   {stat, "Tgid:\t7\nTracerPid:\t-1\n", `TracerPid: is "-1"`},
		"no id at all": {stat, "", "status has no line Tgid:"},
	} {
		if got, err := parseTarget([]byte(tt.stat), []byte(tt.status)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %+v, %v, want an error that says %q", name, got, err, tt.want)
		}
	}
}

func FuzzParseTarget(f *testing.F) {
	f.Add([]byte("7 (a) S (b) R 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0"), []byte("Tgid:\t7\nTracerPid:\t0\n"))
	f.Fuzz(func(t *testing.T, stat, status []byte) {
		if got, err := parseTarget(stat, status); err != nil && got != (target{}) {
			t.Errorf("got %+v with error %v", got, err)
		}
	})
}
