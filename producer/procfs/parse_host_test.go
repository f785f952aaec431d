package procfs

import (
	"testing"
	"time"
)

func TestParseMeminfo(t *testing.T) {
	got, err := parseMeminfo([]byte("MemTotal:       100 kB\nMemFree: 5 kB\nMemAvailable:    40 kB\n"))
	if want := (Memory{TotalKiB: 100, AvailableKiB: 40, AvailableKnown: true}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	wantErrors(t, parseMeminfo, map[string]string{
		"":                             "MemTotal is missing",
		"MemTotal: 100 kB\n":           "MemAvailable is missing",
		"MemTotal: much kB\n":          `MemTotal is "much"`,
		"MemTotal:\nMemAvailable: 1\n": "MemTotal is missing",
	})
	for text, want := range map[string]Memory{
		"MemTotal: 100 kB\nMemAvailable: 101 kB\n":                 {TotalKiB: 100},
		"MemTotal: 18446744073709551615 kB\nMemAvailable: 40 kB\n": {AvailableKiB: 40, AvailableKnown: true},
		"MemTotal: 0 kB\nMemAvailable: 40 kB\n":                    {AvailableKiB: 40, AvailableKnown: true},
		"MemTotal: 99999999999999999999 kB\nMemAvailable: 40 kB\n": {AvailableKiB: 40, AvailableKnown: true},
		"MemTotal: 9 kB\nMemAvailable: 4 kB\nHugetlb: -1 kB\n":     {TotalKiB: 9, AvailableKiB: 4, AvailableKnown: true},
	} {
		if got, err := parseMeminfo([]byte(text)); err == nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v and an error", text, got, err, want)
		}
	}
	huge := "MemTotal: 100 kB\nMemAvailable: 40 kB\nHugePages_Total: 2\nHugePages_Free: 1\nHugepagesize: 16 kB\nHugetlb: 32 kB\n"
	if got, err := parseMeminfo([]byte(huge)); err != nil || !got.HugetlbKnown || got.HugetlbKiB != 32 || got.HugetlbFreeKiB != 16 {
		t.Errorf("got %+v, %v, want 32 KiB in huge pages, 16 of them free", got, err)
	}
}

func TestParseLoadavg(t *testing.T) {
	one, five, fifteen, err := parseLoadavg([]byte("0.52 1.20 3.04 2/1180 91312\n"))
	if err != nil || one != 0.52 || five != 1.2 || fifteen != 3.04 {
		t.Errorf("got %v %v %v, %v", one, five, fifteen, err)
	}
	for _, data := range []string{"", "0.5 1.2", "0.5 x 3", "-1 0 0", "NaN 0 0", "1e300 0 0", "42949672.95 0 0"} {
		if _, _, _, err := parseLoadavg([]byte(data)); err == nil {
			t.Errorf("%q: got no error", data)
		}
	}
}

func TestParseUptime(t *testing.T) {
	got, err := parseUptime([]byte("350735.47 1234388.90\n"))
	if want := 350735*time.Second + 470*time.Millisecond; err != nil || got != want {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	wantErrors(t, parseUptime, map[string]string{"": "1 (uptime)", "x": "1 (uptime)", "1e300": "1 (uptime)"})
}

func TestParseHostStat(t *testing.T) {
	data := "cpu  10 20 30 40 50 60 70 80 90 100\ncpu0 1 2 3 4 5 6 7 8 9 10\ncpu3 1 2 3 4 5 6 7 8 9 10\nintr 5 cpu9\n"
	times, cpus, err := parseHostStat([]byte(data))
	want := CPUTimes{User: 10, Nice: 20, System: 30, Idle: 40, IOWait: 50, IRQ: 60, SoftIRQ: 70, Steal: 80}
	if err != nil || times != want || cpus != 2 {
		t.Errorf("got %+v, %d, %v, want %+v, 2", times, cpus, err, want)
	}
	parse := func(data []byte) (int, error) {
		_, cpus, err := parseHostStat(data)
		return cpus, err
	}
	wantErrors(t, parse, map[string]string{
		"":                         "cpu is missing",
		"intr 1\n":                 "cpu is missing",
		"cpu0 1 2 3 4 5 6 7 8\n":   "cpu is missing",
		"cpu  1 2 3 4 5 6 7\n":     "steal is missing",
		"cpu  1 2 x 4 5 6 7 8 9\n": `system is "x"`,
		"cpu  1 2 3 4 5 6 7 8\n":   "cpuN is missing",
	})
}

func TestParsePressure(t *testing.T) {
	const some = "some avg10=1.53 avg60=1.20 avg300=0.80 total=2000000\n"
	const full = "full avg10=0.05 avg60=0.00 avg300=0.00 total=700\n"
	someLine := PressureLine{Known: true, Avg10: 1.53, Total: 2 * time.Second}
	fullLine := PressureLine{Known: true, Avg10: 0.05, Total: 700 * time.Microsecond}
	for name, test := range map[string]struct {
		data string
		want PressureStall
	}{
		"both":       {some + full, PressureStall{Some: someLine, Full: fullLine}},
		"old kernel": {some, PressureStall{Some: someLine}},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := parsePressure([]byte(test.data)); err != nil || got != test.want {
				t.Errorf("got %+v, %v, want %+v", got, err, test.want)
			}
		})
	}
	wantErrors(t, parsePressure, map[string]string{
		"":                               "some is missing",
		full:                             "some is missing",
		"some avg10=x total=1\n":         `some avg10 is "x"`,
		"some avg10=1.00\n":              "some avg10 or total is missing",
		some + "full avg10=1 total=-1\n": `full total is "-1"`,
	})
}
