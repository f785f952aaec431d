package schema

import (
	"fmt"
	"strings"
	"testing"
)

// docs/pressure.md is made from the signs of pressure.
func TestPressure_Document(t *testing.T) {
	checkDocument(t, "../docs/pressure.md", writePressureDocument(), "schema/pressure.go says", "TestPressure_Document")
}

func writePressureDocument() string {
	var b strings.Builder
	b.WriteString("<!-- Written by go test ./schema -run TestPressure_Document -update from schema/pressure.go. Do not edit it. -->\n# The pressure level\n\n")
	fmt.Fprintf(&b, "Each snapshot has a word for how short of memory its host is: `%s`. It is in `snapshots.pressure_level`, in\n", strings.Join(PressureLevels[1:], "`, `"))
	b.WriteString("`monitor.jsonl`, in minutes (the worst), and in the `resource_context` of `proctape estimate` ([correlate.md](correlate.md)). A conductor that starts work may wait at `medium`\n" +
		"and refuse at `critical`. The worst sign counts; one that is not known does not count.\n\n| sign, in percent | low from | medium from | high from | critical from | why |\n|---|---|---|---|---|---|\n")
	for _, s := range PressureSigns {
		fmt.Fprintf(&b, "| %s | %g | %g | %g | %g | %s |\n", s.Doc, s.Limits[0], s.Limits[1], s.Limits[2], s.Limits[3], s.Why)
	}
	b.WriteString("\nWaits for processors and disks do not count: they make work slow, and do not end it. They are in the snapshot's `pressure`.\n")
	return b.String()
}

func TestPressure_Level(t *testing.T) {
	some := func(hundredths int64) *Pressure { return &Pressure{MemorySome: Some(hundredths)} }
	for name, c := range map[string]struct {
		total, avail uint64
		psi          *Pressure
		limit, used  int64 // of a group; 0 for none
		want         string
	}{
		"all is left":                       {1000, 1000, nil, 0, 0, "none"},
		"more than all is left":             {1000, 1001, nil, 0, 0, "none"},
		"just enough":                       {1000, 151, nil, 0, 0, "none"},
		"low":                               {1000, 150, nil, 0, 0, "low"},
		"still low":                         {1000, 101, nil, 0, 0, "low"},
		"medium":                            {1000, 100, nil, 0, 0, "medium"},
		"high":                              {1000, 50, nil, 0, 0, "high"},
		"critical":                          {1000, 20, nil, 0, 0, "critical"},
		"nothing is known":                  {0, 0, nil, 0, 0, "none"},
		"nobody stalls":                     {1000, 1000, some(0), 0, 0, "none"},
		"less than one percent stalls":      {1000, 1000, some(99), 0, 0, "none"},
		"stalls: low":                       {1000, 1000, some(100), 0, 0, "low"},
		"stalls: critical":                  {1000, 1000, some(6000), 0, 0, "critical"},
		"all stall":                         {1000, 1000, &Pressure{MemorySome: Some[int64](1000), MemoryFull: Some[int64](1500)}, 0, 0, "high"},
		"stalls, memory unknown":            {0, 0, some(1000), 0, 0, "medium"},
		"the worse: stalls":                 {1000, 150, some(3000), 0, 0, "high"},
		"the worse: what is left":           {1000, 20, some(100), 0, 0, "critical"},
		"stalls for others do not count":    {1000, 1000, &Pressure{CPUSome: Some[int64](9900), IOSome: Some[int64](9900), IOFull: Some[int64](9900)}, 0, 0, "none"},
		"a group's limit":                   {1000, 1000, nil, 100, 95, "high"},
		"a group is over its limit":         {1000, 1000, nil, 100, 101, "critical"},
		"the machine, and a group has room": {1000, 100, nil, 100, 1, "medium"},
	} {
		s := Snapshot{MemoryTotal: c.total, MemoryAvail: c.avail, Pressure: c.psi}
		if c.limit > 0 {
			s.HostValues.GroupLimit, s.HostValues.GroupUsed = Some(c.limit), Some(c.used)
		}
		if c.total == 0 {
			s.HostValues.Unknown = []HostValue{HostMemoryTotal}
		}
		if got := s.LevelOfPressure(); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}
