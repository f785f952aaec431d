package simulate

import (
	"fmt"
	"time"

	"github.com/proctape/proctape/schema"
)

func newHost(cfg *Config, index int, s *scratch) *Host {
	h := &Host{
		machine: machine{hostClock: hostClock{cfg: cfg, index: index}, random: randomOf(cfg, index), cpus: 4},
		output:  output{scratch: s, name: fmt.Sprintf("sim-%04d", index+1), next: map[schema.Kind]uint64{}},
	}
	h.bootID, h.instance = identity(cfg, index)
	for h.cpus < min(cfg.Processes/8, 128) {
		h.cpus *= 2
	}
	h.perStep = cfg.Churn * cfg.Interval.Minutes() * float64(cfg.Processes)
	h.boot = 2*int64(time.Hour) + h.random.Int64N(60*24*int64(time.Hour))
	h.layOut()
	for i := range h.jobs {
		j := &h.jobs[i]
		h.startJob(j)
		j.sheet = h.random.Int64N(j.of)
		h.startSheet(j)
	}
	h.fillPlaces()
	h.memoryTotal = (h.resident()*3/2>>20 + 1) << 20 // whole GiB, of which about half is free
	return h
}

// Step lets one interval pass and returns the messages at its end: a snapshot, and what has started and ended since the
// one before. The first step only learns who is there, as a sampler does. The messages are numbered as of one instance
// of a producer; they and all they hold are valid until the next step of any host of the fleet.
func (h *Host) Step() []schema.Message {
	h.scratch.reset()
	h.tick++
	h.boot += int64(h.cfg.Interval)
	if h.tick == 1 {
		h.addRunningJobs()
	} else {
		h.replace()
	}
	h.work()
	return h.messages()
}

// addRunningJobs adds the events that declare the jobs that run.
func (h *Host) addRunningJobs() {
	for i := range h.jobs {
		h.addJobEvent(&h.jobs[i], schema.JobDeclared, h.boot, false)
		h.addJobEvent(&h.jobs[i], schema.JobSheetStarted, h.boot, false)
	}
}

// replace lets as many processes end as the churn asks for, and others take their places. None ends that no snapshot
// has shown: a job's step therefore ends in the step of the host after its last process did.
func (h *Host) replace() {
	for i := range h.jobs {
		if h.jobs[i].left <= 0 {
			h.endSheet(&h.jobs[i], h.timeSinceSnapshot())
		}
	}
	for _, i := range h.zombies {
		if h.places[i].state == zombie { // else it ended with its job's step
			h.replaceOne(i)
		}
	}
	h.zombies = h.zombies[:0]
	h.churn()
}

// churn replaces processes that come and go by themselves, chosen at random.
func (h *Host) churn() {
	h.credit = min(h.credit+h.perStep, float64(len(h.leaves)))
	for n := 0; n < len(h.leaves) && h.credit >= 1; n++ {
		other := n + h.random.IntN(len(h.leaves)-n)
		h.leaves[n], h.leaves[other] = h.leaves[other], h.leaves[n]
		i := h.leaves[n]
		if !h.places[i].seen {
			continue
		}
		h.credit--
		if h.random.IntN(16) == 0 { // its parent has not noticed yet
			h.places[i].state = zombie
			h.zombies = append(h.zombies, i)
			continue
		}
		h.replaceOne(i)
	}
}

// replaceOne lets a process end, and another take its place at once.
func (h *Host) replaceOne(i int) {
	at := h.timeSinceSnapshot()
	h.exit(i, at)
	h.spawn(i, at)
	h.observeSpawn(i, at)
	if j := h.places[i].job; j != nil {
		j.left--
	}
}
