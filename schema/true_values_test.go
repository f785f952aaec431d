package schema

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

// trueValues are numbers that real kernels, drivers, clocks and conductors give, and that look like mistakes.
var trueValues = []struct {
	name, of string
	set      func(*Message)
}{
	{"every task stalls all the time, which PSI says as 100.00", "snapshot", func(m *Message) {
		all := Some[int64](100_00)
		m.Snapshot.Pressure = &Pressure{all, all, all, all, all}
	}},
	{"a load of four million tasks", "snapshot", func(m *Message) { m.Snapshot.Load = [3]int64{419_430_400, 419_430_400, 419_430_400} }},
	{"no memory is available", "snapshot", func(m *Message) { m.Snapshot.MemoryAvail = 0 }},
	{"more is available than there is, as in a container that was made smaller", "snapshot", func(m *Message) { m.Snapshot.MemoryAvail = 2 * m.Snapshot.MemoryTotal }},
	{"16 TiB of memory, 8192 processors", "snapshot", func(m *Message) { m.Snapshot.MemoryTotal, m.Snapshot.CPUs = 1<<34, 8192 }},
	{"a control group that may use all processors of the largest kernel", "snapshot", func(m *Message) { m.Snapshot.HostValues.GroupCPU = Some[int64](8_192_000) }},
	{"a GPU that is busy all the time, and hot", "snapshot", func(m *Message) {
		m.Snapshot.GPUs = []GPU{{Index: 15, Utilization: Some[int64](1000), Temperature: Some[int64](1270), MemoryUsed: Some[int64](288 << 20), MemoryTotal: Some[int64](288 << 20)}}
	}},
	{"a GPU below freezing", "snapshot", func(m *Message) { m.Snapshot.GPUs = []GPU{{Temperature: Some[int64](-400)}} }},
	{"a driver that counts engines one by one", "snapshot", func(m *Message) { m.Snapshot.GPUs = []GPU{{Utilization: Some[int64](4000)}} }},
	{"shared pages: more resident than the machine has", "snapshot", change(0, func(p *Process) { p.RSS = Some[int64](1 << 40) })},
	{"a sanitizer's shadow: 2^56 bytes of addresses", "snapshot", change(0, func(p *Process) { p.VMS = Some[int64](1 << 46) })},
	{"a rounded rate of more than all processors", "snapshot", change(0, func(p *Process) { p.CPUPermille = Some[int64](8_200_000) })},
	{"process 1, which began at the boot and has no parent", "snapshot", change(0, func(p *Process) { p.StartTicks, p.PPID = 0, 0 })},
	{"the user nobody of 32 bits", "snapshot", change(0, func(p *Process) { p.UID = Some[int64](math.MaxUint32) })},
	{"the largest pid, and as many threads", "snapshot", func(m *Message) {
		rows := m.Snapshot.Processes.Rows()
		rows[len(rows)-1].PID, rows[len(rows)-1].Threads = 1<<22-1, 1<<22-1
		m.Snapshot.Processes = ProcessesOf(rows...)
	}},
	{"a processor's work on all processors since the boot", "snapshot", change(0, func(p *Process) { p.CPUMillis = 8192 * 86_400_000 })},
	{"a machine that has run for ten years", "snapshot", func(m *Message) { m.Boot = int64(10 * 365 * 24 * time.Hour) }},
	{"a second after the boot", "snapshot", func(m *Message) {
		m.Boot = int64(time.Second)
		rows := m.Snapshot.Processes.Rows()
		for i := range rows {
			rows[i].CPUMillis, rows[i].StartTicks = 20, 0
		}
		m.Snapshot.Processes = ProcessesOf(rows...)
	}},
	{"a clock that was set back by twenty years", "snapshot", func(m *Message) { m.Wall -= int64(20 * 365 * 24 * time.Hour) }},
	{"a clock that is five years ahead", "snapshot", func(m *Message) { m.Wall += int64(5 * 365 * 24 * time.Hour) }},
	{"a clock that has just been bought: 2000-01-01", "snapshot", func(m *Message) { m.Wall = 946_684_800_000_000_000 }},
	{"a sampler that looks once a day, and has done so for a year", "snapshot", func(m *Message) {
		m.Snapshot.Interval, m.Snapshot.Uptime = int64(24*time.Hour), int64(365*24*time.Hour)
	}},
	{"a sampler that looks a thousand times a second", "snapshot", func(m *Message) { m.Snapshot.Interval, m.Snapshot.Tick = 1e6, 1<<40 }},
	{"a life of less than a millisecond", "exit", func(m *Message) {
		m.Events[0].Lifetime, m.Events[0].CPUMillis, m.Events[0].PeakRSS = Some[int64](0), Some[int64](0), Some[int64](0)
	}},
	{"more CPU than time, of many threads", "exit", func(m *Message) {
		m.Events[0].Lifetime, m.Events[0].CPUMillis = Some[int64](1000), Some[int64](1000*8192)
	}},
	{"the samples have more than the exit tells", "exit", func(m *Message) {
		m.Events[0].CPUMillis, m.Events[0].SampledCPU = Some[int64](10), Some[int64](20)
	}},
	{"a petabyte written", "exit", func(m *Message) { m.Events[0].WriteKiB = Some[int64](1 << 40) }},
	{"a conductor whose code is a status of wait(2)", "job", func(m *Message) { m.Jobs[4].ExitCode = Some[int64](127 << 8) }},
	{"a conductor that writes a signal as a negative number", "job", func(m *Message) { m.Jobs[4].ExitCode = Some[int64](-64) }},
	{"a conductor on Windows: STATUS_ACCESS_VIOLATION", "job", func(m *Message) { m.Jobs[4].ExitCode = Some[int64](0xC0000005) }},
	{"a step 0 of no steps", "job", func(m *Message) { m.Jobs[0].TotalSheets, m.Jobs[0].Sheet = Some[int64](0), Some[int64](0) }},
	{"a loss since nobody knows when", "gap", func(m *Message) { m.Gaps[0].FromWall = 0 }},
	{"nothing lost", "gap", func(m *Message) { m.Gaps[0].Count = Some[int64](0) }},
	{"a minute in which more was available than there was", "rollup", func(m *Message) { m.Rollup.MemoryUsed = Spread{12, -1200, -100, -100, nil} }},
	{"a minute of a sampler that looks a thousand times a second", "rollup", func(m *Message) { m.Rollup.Samples = 60_000 }},
}

// TestValidate_TrueValues: what real machines say is taken in, comes back as it was, and is of a time that a clock tells.
func TestValidate_TrueValues(t *testing.T) {
	values := trueValues
	for code := range int64(256) {
		values = append(values, struct {
			name, of string
			set      func(*Message)
		}{fmt.Sprint("exit code ", code), "exit", func(m *Message) { m.Events[0].ExitCode = Some(code) }})
	}
	for signal := range int64(129) { // 64 on most, 128 on MIPS
		values = append(values, struct {
			name, of string
			set      func(*Message)
		}{fmt.Sprint("signal ", signal), "signal", func(m *Message) { m.Events[0].Signal = Some(signal) }})
	}
	for _, v := range values {
		m := exampleOf(t, v.of)
		v.set(m)
		payload, encoding, err := Encode(nil, m)
		if err != nil {
			t.Errorf("%s: refused: %v", v.name, err)
			continue
		}
		back, err := Decode("", encoding, payload)
		if err != nil {
			t.Errorf("%s: not read: %v", v.name, err)
			continue
		}
		if err := back.CheckTimes(time.Unix(0, 1_795_400_000_000_000_000)); err != nil {
			t.Errorf("%s: set aside: %v", v.name, err)
		}
		if v.of == "exit" && back.Events[0] != m.Events[0] {
			t.Errorf("%s: got %+v, want %+v", v.name, back.Events[0], m.Events[0])
		}
	}
}

// A figure that no machine has costs itself alone.
func TestEvent_ForgetImpossible(t *testing.T) {
	m := exampleOf(t, "exit")
	e := &m.Events[0]
	e.CPUMillis, e.ReadKiB, e.PeakRSS = Some[int64](math.MaxInt64), Some[int64](-1), Some[int64](5)
	if err := m.Validate(); err == nil {
		t.Error("the control: the figures are taken")
	}
	if got := fmt.Sprint(e.ForgetImpossible()); got != "[cpu_ms read_kib]" || e.CPUMillis.Known || e.ReadKiB.Known || !e.PeakRSS.Known {
		t.Errorf("got %s, %+v", got, e)
	}
	if err := m.Validate(); err != nil {
		t.Error(err)
	}
}

// The control: what no machine says is refused, right beyond some of the true values.
func TestValidate_TrueValuesControl(t *testing.T) {
	for name, v := range map[string]struct {
		of  string
		set func(*Message)
	}{
		"exit_code":        {"exit", func(m *Message) { m.Events[0].ExitCode = Some[int64](256) }},
		"signal_num":       {"signal", func(m *Message) { m.Events[0].Signal = Some[int64](129) }},
		"memory_some_x100": {"snapshot", func(m *Message) { m.Snapshot.Pressure = &Pressure{MemorySome: Some[int64](100_01)} }},
		"load_x100":        {"snapshot", func(m *Message) { m.Snapshot.Load[0] = 419_430_401 }},
		"vms_kib":          {"snapshot", change(0, func(p *Process) { p.VMS = Some[int64](1<<46 + 1) })},
		"threads":          {"snapshot", change(0, func(p *Process) { p.Threads = 1 << 22 })},
		"temperature_x10":  {"snapshot", func(m *Message) { m.Snapshot.GPUs = []GPU{{Temperature: Some[int64](-2733)}} }},
	} {
		m := exampleOf(t, v.of)
		v.set(m)
		if err := m.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
