package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// samplers measures our sampler with 1000 and 5000 sleeping processes and with 1000 busy ones, and other samplers with the
// 1000 sleeping ones.
func samplers(b *bench) error {
	return errors.Join(sampling(b, "sleepers", 1000, 8, true), sampling(b, "busy", 1000, 26, false), sampling(b, "sleepers", 5000, 8, false))
}

// The sampler is measured with an interval of a second, over so many samples a round. The kernel's events are off: their
// cost depends on what happens on the machine, not on the number of processes.
const samplesPerRound = 5

func sampling(b *bench, load string, processes int, most float64, beside bool) error {
	s, err := startSampler(b, load, processes)
	if err != nil {
		return err
	}
	var own []float64
	others := map[string][]float64{}
	for range b.rounds {
		cost, err := s.cost()
		if err != nil {
			return err
		}
		own = append(own, cost)
		if !beside {
			continue
		}
		for _, t := range tools {
			cost, err := toolCost(b, t)
			if err != nil {
				return err
			}
			if cost > 0 {
				others[t.name] = append(others[t.name], 1000*cost/float64(s.processes))
			}
		}
	}
	memory, err := s.stopSampler()
	if err != nil {
		return err
	}
	b.add(fmt.Sprintf("sample of %s %s processes", thousands(int64(processes)), map[string]string{"sleepers": "sleeping", "busy": "busy"}[load]),
		"CPU ms/1000", atMost(most), own...)
	inMemory := noBar // which is one of a thousand processes
	if processes == 1000 {
		inMemory = atMost(25)
	}
	b.add("… at most in memory", "MiB", inMemory, memory)
	if beside {
		for _, t := range tools {
			if len(others[t.name]) > 0 {
				b.add("… "+t.name, "CPU ms/1000", noBar, others[t.name]...)
			}
		}
		if err := wholeRecorder(b); err != nil {
			return err
		}
	}
	return s.load.stop()
}

// sampled is a running sampler, the recorder that it publishes to, and the size of its samples.
type sampled struct {
	b             *bench
	load, sampler *child
	recorder      *recorder
	processes     int64 // of the last snapshot
}

const sampledHost = "sampled"

// startSampler starts a sampler, and returns after its first samples.
func startSampler(b *bench, load string, processes int, flags ...string) (*sampled, error) {
	s := &sampled{b: b}
	var err error
	if s.load, err = b.start("ready", filepath.Join(b.helpers, "load"), load, strconv.Itoa(processes)); err != nil {
		return nil, err
	}
	dir, err := b.folder()
	if err != nil {
		return nil, err
	}
	if s.recorder, err = b.record(dir, "--host", "recorder", "--interval", "1h", "--events", "proc-diff", "--no-ndjson"); err != nil {
		return nil, err
	}
	args := append([]string{"sample", "--data", dir, "--host", sampledHost, "--interval", "1s", "--events", "proc-diff"}, flags...)
	s.sampler, err = b.start("is sampling", b.proctape, args...)
	if err != nil {
		return nil, err
	}
	_, err = b.awaitSnapshots(s.recorder, sampledHost, 4)
	return s, err
}

// stopSampler stops the sampler and its recorder, and returns how much memory it had at most, in MiB. The load goes on.
func (s *sampled) stopSampler() (float64, error) {
	memory, err := s.sampler.memory("VmHWM")
	if err != nil {
		return 0, err
	}
	return memory, errors.Join(s.sampler.stop(), s.recorder.close())
}

// cost returns the CPU time of one sample, in milliseconds for every 1000 processes in it.
func (s *sampled) cost() (float64, error) {
	n, err := s.b.awaitSnapshots(s.recorder, sampledHost, 1)
	if err != nil {
		return 0, err
	}
	if n, err = s.b.awaitSnapshots(s.recorder, sampledHost, n+1); err != nil { // begin when one has just been taken
		return 0, err
	}
	before, err := s.sampler.cpu()
	if err != nil {
		return 0, err
	}
	after, err := s.b.awaitSnapshots(s.recorder, sampledHost, n+samplesPerRound)
	if err != nil {
		return 0, err
	}
	spent, err := s.sampler.cpu()
	if err != nil {
		return 0, err
	}
	s.processes, err = s.recorder.number(`SELECT child_count FROM snapshots WHERE host_id = (SELECT id FROM hosts WHERE name = ?) ORDER BY id DESC LIMIT 1`, sampledHost)
	if err != nil {
		return 0, err
	}
	return milliseconds(spent-before) / float64(after-n) * 1000 / float64(s.processes), nil
}

// wholeRecorder measures a recorder with its default settings, beside the sleepers.
func wholeRecorder(b *bench) error {
	dir, err := b.folder()
	if err != nil {
		return err
	}
	r, err := b.record(dir, "--host", sampledHost)
	if err != nil {
		return err
	}
	if _, err := b.awaitSnapshots(r, sampledHost, 2); err != nil {
		return err
	}
	before, err := r.cpu()
	if err != nil {
		return err
	}
	began := time.Now()
	if _, err := b.awaitSnapshots(r, sampledHost, 6); err != nil {
		return err
	}
	spent, err := r.cpu()
	if err != nil {
		return err
	}
	memory, err := r.memory("VmRSS")
	if err != nil {
		return err
	}
	b.add("a whole recorder of the 1000, every 5 s with events and files", "% of a core", noBar, 100*(spent-before).Seconds()/time.Since(began).Seconds())
	b.add("… in memory", "MiB", noBar, memory)
	return r.close()
}

// tool is another program that samples processes.
type tool struct {
	name   string
	args   func(samples int) []string
	single bool // takes one sample a call
}

// tools are asked for much the same as we read. Their output is dropped, and atop's file is removed.
var tools = []tool{
	{name: "top -b", args: func(n int) []string { return []string{"top", "-b", "-d", "1", "-n", strconv.Itoa(n)} }},
	{name: "pidstat -urd -p ALL", args: func(n int) []string { return []string{"pidstat", "-urd", "-p", "ALL", "1", strconv.Itoa(n)} }},
	{name: "ps -eo", args: func(int) []string {
		return []string{"ps", "-eo", "pid,ppid,state,pcpu,rss,vsz,nlwp,etimes,args"}
	}, single: true},
	{name: "atop -w", args: func(n int) []string { return []string{"atop", "-w", "atop.raw", "1", strconv.Itoa(n)} }},
}

// toolCost returns the CPU time of one sample in milliseconds: the difference between a longer and a shorter run, by sample. It
// returns 0 and leaves a note when the tool is not installed.
func toolCost(b *bench, t tool) (float64, error) {
	const more = 3
	program, err := exec.LookPath(t.args(1)[0])
	if err != nil {
		b.note("Not installed, so not compared: " + t.args(1)[0] + ".")
		return 0, nil
	}
	if t.single {
		spent, err := toolTime(b, program, t.args(1))
		return milliseconds(spent), err
	}
	one, err := toolTime(b, program, t.args(1))
	if err != nil {
		return 0, err
	}
	all, err := toolTime(b, program, t.args(1+more))
	return milliseconds(all-one) / more, err
}

// toolTime returns the CPU time of a tool that runs to its end.
func toolTime(b *bench, program string, args []string) (time.Duration, error) {
	cmd := exec.CommandContext(b.ctx, program, args[1:]...)
	cmd.Dir = b.dir
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%s: %w", args[0], err)
	}
	// atop goes on writing the file it finds.
	err := os.RemoveAll(filepath.Join(b.dir, "atop.raw"))
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), cmp.Or(err, b.ctx.Err())
}

func milliseconds(d time.Duration) float64 { return 1000 * d.Seconds() }
