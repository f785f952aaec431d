package anomaly_test

import (
	"math"
	"time"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
)

const gib = int64(1) << 20 // in KiB

// mib is so much memory.
func mib(v float64) schema.Opt[int64] { return schema.Some(int64(v) << 10) }

// opens is a process with so many files open, and its limit.
func opens(p *schema.Process, files, limit int64) {
	p.SetNumber(metric.OpenFDs, schema.Some(files))
	if files >= metric.ManyFDs {
		p.SetNumber(metric.FDLimit, schema.Some(limit))
	}
}

// compiler is the memory of a Go compiler at work on a machine with two processors, in MiB at each sample: recorded.
var compiler = []float64{130, 250, 195, 322, 416, 515, 598, 634, 780, 871, 881, 965, 1011, 1073, 1117, 1142}

// wobble goes up and down by 1, as load does within minutes.
func wobble(after time.Duration) float64 {
	return 0.6*math.Sin(after.Seconds()/150) + 0.4*math.Sin(after.Seconds()/37)
}

// serves plays a server that has 300 files open and as many more as files says, with a limit.
func serves(limit int64, length time.Duration, files func(after time.Duration) float64) func(m *machine) {
	return func(m *machine) {
		m.lasts(24*time.Hour, length, func(after time.Duration, p *schema.Process) { opens(p, int64(files(after)), limit) })
	}
}

// remembers plays a process of an age that has so many MiB after a time.
func remembers(age, length time.Duration, rss func(after time.Duration) float64) func(m *machine) {
	return func(m *machine) {
		m.lasts(age, length, func(after time.Duration, p *schema.Process) { p.RSS = mib(rss(after)) })
	}
}

// computes plays a process of an age that uses a processor while busy says so, and nearly nothing else.
func computes(age time.Duration, used, length time.Duration, busy func(after time.Duration) bool) func(m *machine) {
	return func(m *machine) {
		m.lasts(age, length, func(after time.Duration, p *schema.Process) {
			if busy(after) {
				used += m.period
				p.State, p.CPUPermille = "R", schema.Some[int64](990)
			}
			p.CPUMillis = uint64(used.Milliseconds())
		})
	}
}

// threads plays a process that has so many threads after a time.
func threads(length time.Duration, n func(after time.Duration) float64) func(m *machine) {
	return func(m *machine) {
		m.lasts(time.Hour, length, func(after time.Duration, p *schema.Process) { p.Threads = int(n(after)) })
	}
}

// on is a trace of another machine.
func on(cpus int, memory int64, play func(m *machine)) func(m *machine) {
	return func(m *machine) {
		m.host.CPUs, m.host.MemoryTotal, m.host.MemoryAvail = cpus, uint64(memory), uint64(memory/2)
		play(m)
	}
}

// again plays the same death n times.
func again(n int, d death) func(m *machine) {
	return func(m *machine) {
		for range n {
			m.dies(d)
		}
	}
}

// killed plays the end of so many processes of a job at once, for want of memory.
func killed(m *machine, job string, n int) {
	for pid := range n {
		m.see(&schema.Message{Envelope: schema.Envelope{Kind: schema.KindOOM}, Events: []schema.Event{{PID: 1000 + pid, StartTicks: 500, Command: "./worker", JobID: job,
			Signal: schema.Some[int64](9), Boot: m.boot, Wall: wallAt(m.boot), Source: "taskstats"}}})
		m.boot += int64(20 * time.Millisecond)
	}
}

// crowd plays a host with so many processes more after a minute.
func crowd(before, more int) func(m *machine) {
	return func(m *machine) {
		for i := range 24 {
			n := before
			if i >= 12 {
				n += more
			}
			var all []schema.Process
			for pid := range n {
				all = append(all, schema.Process{PID: 100 + pid, PPID: 1, StartTicks: 500, State: "S", Threads: 1, Command: "/usr/bin/rank"})
			}
			m.snapshot(all...)
		}
	}
}

// presses plays a host on which tasks wait for processors for ten minutes.
func presses(loadPerCPU int64) func(m *machine) {
	return func(m *machine) {
		m.host.Load[0] = loadPerCPU * int64(m.host.CPUs) * 100
		m.host.Pressure = &schema.Pressure{CPUSome: schema.Some[int64](95_00)}
		for range 120 {
			m.snapshot()
		}
	}
}

// leaves plays a host that has so much memory left for a minute.
func leaves(total, left int64) func(m *machine) {
	return func(m *machine) {
		for range 12 {
			m.host.MemoryTotal, m.host.MemoryAvail = uint64(total), uint64(left)
			m.snapshot()
		}
	}
}

// blocked plays a process that is seen waiting in the kernel at each look for ten minutes; works says that it gets something done in between.
func blocked(works bool) func(m *machine) {
	return func(m *machine) {
		m.lasts(time.Hour, 10*time.Minute, func(after time.Duration, p *schema.Process) {
			if p.State = "D"; works {
				p.ReadKiB = schema.Some(int64(after.Seconds()) * 4096)
			}
		})
	}
}

// unwaited plays a parent that does not wait for so many children that have ended, for a time.
func unwaited(children int, length time.Duration) func(m *machine) {
	return func(m *machine) {
		for range length / step {
			all := []schema.Process{{PID: 70, PPID: 1, StartTicks: 500, State: "S", Threads: 1, Command: "python3 jobs.py"}}
			for n := range children {
				all = append(all, schema.Process{PID: 71 + n, PPID: 70, StartTicks: 600, State: "Z", Threads: 1, Command: "python3 job.py"})
			}
			m.snapshot(all...)
		}
	}
}

const (
	second = time.Second
	minute = time.Minute
	hour   = time.Hour
)

// traces are what healthy machines do, and troubles.
var traces = []trace{
	{rule: "memory_spike", what: "a compiler fills 1.1 GiB in a minute, as recorded", play: on(2, 23*gib, func(m *machine) {
		m.lasts(2*second, 80*second, func(after time.Duration, p *schema.Process) { p.RSS = mib(compiler[int(after/step)]) })
	})},
	{rule: "memory_spike", what: "a server of 250 MiB needs 450 for a request", play: remembers(hour, 10*minute, func(after time.Duration) float64 {
		if after%(5*minute) > 4*minute {
			return 450
		}
		return 250
	})},
	{rule: "memory_spike", what: "a server of 250 MiB suddenly has 800", episodes: 1, play: remembers(hour, 10*minute, func(after time.Duration) float64 {
		if after >= 5*minute {
			return 800
		}
		return 250
	})},
	{rule: "memory_spike", what: "on a machine of 2 GiB, a server of 100 MiB has 220", episodes: 1, play: on(1, 2*gib, remembers(hour, 10*minute, func(after time.Duration) float64 {
		if after >= 5*minute {
			return 220
		}
		return 100
	}))},

	{rule: "runaway_process", what: "a server answers questions of half a minute, with pauses", play: computes(24*hour, hour, 20*minute, func(after time.Duration) bool {
		return after%minute < 30*second
	})},
	{rule: "runaway_process", what: "a daemon that slept spins", episodes: 1, play: computes(hour, minute, 10*minute, func(time.Duration) bool { return true })},

	{rule: "zombie", what: "a script waits for its three children one after another, a minute each", episodes: 1, severity: schema.SeverityMedium, play: unwaited(2, minute)},
	{rule: "zombie", what: "a service waits for none of its children", episodes: 1, severity: schema.SeverityHigh, play: unwaited(12, minute)},

	{rule: "memory_pressure", what: "a node of 512 GiB has 40 left for what its jobs do not use", play: leaves(512*gib, 40*gib)},
	{rule: "memory_pressure", what: "a machine of 16 GiB has 1 left", episodes: 1, play: leaves(16*gib, gib)},

	{rule: "crash_loop", what: "tests of a suite fail within a quarter of a second", play: again(40, death{command: "./case --all", parent: 50, code: 1, lifetime: 250 * time.Millisecond, wait: 6 * second})},
	{rule: "crash_loop", what: "tests abort on purpose, fifty one after another", play: again(50, death{command: "./unit_test", parent: 50, signal: 6, lifetime: 20 * time.Millisecond, wait: 60 * time.Millisecond})},
	{rule: "crash_loop", what: "somebody waits for a database with pg_isready", play: again(120, death{command: "pg_isready", parent: 50, code: 2, lifetime: 15 * time.Millisecond, wait: second})},
	{rule: "crash_loop", what: "64 ranks of a job die at once", play: again(64, death{command: "./rank", parent: 50, code: 1, lifetime: 10 * minute, wait: 10 * time.Millisecond})},
	{rule: "crash_loop", what: "eight checks run side by side, and all fail", play: again(8, death{command: "./check", parent: 50, code: 1, lifetime: minute, wait: 6 * second})},
	{rule: "crash_loop", what: "a step fails every other time", play: func(m *machine) {
		for range 10 {
			m.dies(death{command: "./flaky", code: 1, lifetime: 5 * second, wait: 10 * second}, death{command: "./flaky", lifetime: 5 * second, wait: 10 * second})
		}
	}},
	{rule: "crash_loop", what: "five jobs fail at the same command", play: func(m *machine) {
		for _, job := range []string{"a", "b", "c", "d", "e", "f"} {
			m.dies(death{command: "npm ci", job: job, parent: 50, code: 1, lifetime: 10 * second, wait: 30 * second})
		}
	}},
	{rule: "crash_loop", what: "somebody tries a command again and again, and thinks in between, as recorded", play: func(m *machine) {
		for i, lived := range []time.Duration{25, 25, 14, 20, 30, 30} {
			m.boot += int64([]time.Duration{0, 0, 25, 11, 101, 20}[i]*second + lived*second)
			m.dies(death{command: "./report --all", parent: 50 + int64(i), code: 1, lifetime: lived * second})
		}
	}},
	{rule: "crash_loop", what: "a service manager waits for twice as long each time", episodes: 1, play: func(m *machine) {
		for _, wait := range []time.Duration{10, 20, 40, 80, 160} {
			m.dies(death{command: "node server.js", parent: 50, code: 1, lifetime: 2 * second, wait: (wait + 2) * second})
		}
	}},
	{rule: "crash_loop", what: "a service is started anew each five seconds, and dies", episodes: 1, play: again(20, death{command: "/usr/bin/service", code: 1, lifetime: 2 * second, wait: 7 * second})},
	{rule: "crash_loop", what: "a step is tried again and again", episodes: 1, play: again(6, death{command: "npm install", job: "ci", parent: 50, code: 1, lifetime: 20 * second, wait: 21 * second})},
	{rule: "crash_loop", what: "a container is started anew, each time by another parent", episodes: 1, play: func(m *machine) {
		for n := range int64(10) {
			m.dies(death{command: "node server.js", parent: 100 + n, code: 1, lifetime: 3 * second, wait: 13 * second})
		}
	}},
	{rule: "crash_loop", what: "a script starts a program anew each second, and its configuration is wrong", episodes: 1, play: again(20, death{command: "./server --config bad", parent: 50, code: 78, lifetime: 400 * time.Millisecond, wait: 1400 * time.Millisecond})},
	{rule: "crash_loop", what: "a service dies of SIGSEGV as soon as it starts", episodes: 1, play: again(10, death{command: "/usr/bin/service", signal: 11, lifetime: 50 * time.Millisecond, wait: 10 * second})},

	{rule: "oom", what: "the kernel kills all 30 processes of a group", episodes: 1, play: func(m *machine) { killed(m, "", 30) }},
	{rule: "oom", what: "it kills those of two jobs, and a minute later of one again", episodes: 3, play: func(m *machine) {
		killed(m, "a", 5)
		killed(m, "b", 5)
		m.boot += int64(minute)
		killed(m, "a", 5)
	}},

	{rule: "fork_storm", what: "256 processors start three processes each", play: on(256, 512*gib, crowd(100, 768))},
	{rule: "fork_storm", what: "1500 processes start on two processors", episodes: 1, play: on(2, 16*gib, crowd(100, 1500))},

	{rule: "leak", what: "a cache fills to 2 GiB, ever more slowly", play: remembers(minute, 8*hour, func(after time.Duration) float64 {
		return 2048 - 1900*math.Exp(-after.Hours())
	})},
	{rule: "leak", what: "a database of 24 GiB fills its cache, and 40 GiB are left", play: remembers(2*hour, 8*hour, func(after time.Duration) float64 {
		return 16<<10 + min(after.Hours(), 6)*1024
	})},
	{rule: "leak", what: "a recorder begins with 52 MiB and comes to 188 within 82 minutes", play: remembers(minute, 8*hour, func(after time.Duration) float64 {
		return 52 + math.Floor(136*min(1, after.Minutes()/82)/8)*8 + 6*wobble(after)
	})},
	{rule: "leak", what: "a service grows by 90 MiB an hour", episodes: 1, severity: schema.SeverityMedium, play: remembers(24*hour, 5*hour, func(after time.Duration) float64 {
		return 100 + 90*after.Hours() + 5*wobble(after)
	})},
	{rule: "leak", what: "a service of 8 GiB grows by 2 GiB an hour, and 6 are left", episodes: 1, severity: schema.SeverityHigh, play: on(16, 12*gib, remembers(24*hour, 2*hour, func(after time.Duration) float64 {
		return 8<<10 + 2048*after.Hours()
	}))},

	{rule: "stuck_in_d", what: "a backup waits for its disk at each look", play: blocked(true)},
	{rule: "stuck_in_d", what: "a process waits for a server that is gone", episodes: 1, play: blocked(false)},

	{rule: "thread_growth", what: "a program computes with 256 threads after an hour", play: threads(3*hour, func(after time.Duration) float64 {
		if after > 5*minute {
			return 256
		}
		return 2
	})},
	{rule: "thread_growth", what: "a pool grows from 64 to 400 threads with the load of a morning", play: threads(8*hour, func(after time.Duration) float64 {
		return 64 + 336*min(1, after.Hours()/0.15)*(0.9+0.1*wobble(after))
	})},
	{rule: "thread_growth", what: "a process starts 5 threads a minute, and keeps them", episodes: 1, play: threads(3*hour, func(after time.Duration) float64 { return 100 + 5*after.Minutes() })},

	{rule: "fd_growth", what: "a recorder has a file open for each process, and processes come", play: serves(524_288, 6*hour, func(after time.Duration) float64 {
		return 361 + 1382*min(1, after.Hours()/0.15) + 40*wobble(after)
	})},
	{rule: "fd_growth", what: "a server gets ten times as many connections in a morning, and may have 65 536", play: serves(65_536, 10*hour, func(after time.Duration) float64 {
		return 300 + 2700*(1-math.Cos(min(after.Hours(), 3)/3*math.Pi))/2*(1+0.1*wobble(after))
	})},
	{rule: "fd_growth", what: "a pool of connections is opened at once", play: serves(4096, 3*hour, func(after time.Duration) float64 {
		if after > 20*minute {
			return 1500
		}
		return 300
	})},
	{rule: "fd_growth", what: "a server keeps 5 files open each minute, and may have 1024", episodes: 1, severity: schema.SeverityHigh, play: serves(1024, 2*hour, func(after time.Duration) float64 {
		return 300 + 5*after.Minutes()
	})},
	{rule: "fd_growth", what: "the same from its start on", episodes: 1, play: func(m *machine) {
		m.lasts(0, 70*minute, func(after time.Duration, p *schema.Process) {
			if opens(p, 6, 1024); after >= 2*m.period {
				opens(p, 290+int64(5*after.Minutes()), 1024)
			}
		})
	}},
	{rule: "fd_growth", what: "the same below connections that come and go", episodes: 1, play: serves(1024, 2*hour, func(after time.Duration) float64 {
		return 330 + 5*after.Minutes() + 25*wobble(after)
	})},

	{rule: "cpu_starvation", what: "a machine builds: three tasks for each processor", play: on(2, 23*gib, presses(3))},
	{rule: "cpu_starvation", what: "a machine has ten tasks for each processor", episodes: 1, play: on(2, 23*gib, presses(10))},
}
