package simulate

import "time"

// place is a node of a host's tree of processes. Processes come and go, the tree stays: who follows in a place runs one
// of the same programs under the same parent.
type place struct {
	programs []program
	cgroup   string // of what is no job's
	parent   int    // place; init is its own parent
	job      *job   // nil for none
	life            // of the process that is there now
}

// plant lays out the tree: init, the jobs, the sampler, and services in what room is left. A parent comes before its
// children.
func (h *Host) plant() {
	n := h.cfg.Processes
	h.places = make([]place, 0, n)
	h.jobs = make([]job, 0, h.cfg.Jobs) // places point into it
	h.add(place{programs: []program{initProgram}, cgroup: "/init.scope"})
	for range h.cfg.Jobs {
		h.plantJob(min(max(smallestJob, (n-1)/(2*h.cfg.Jobs)), largestJob))
	}
	if len(h.places) < n {
		h.sampler = h.add(place{programs: []program{samplerProgram}, cgroup: "/system.slice/proctape.service"})
	}
	for i := 0; len(h.places) < n; i++ {
		if i/2 < len(daemons) && i%2 == 0 {
			h.plantService(&daemons[i/2])
		} else {
			h.plantService(&services[h.random.IntN(len(services))])
		}
	}
}

func (h *Host) add(p place) int {
	h.places = append(h.places, p)
	return len(h.places) - 1
}

// addLeaf adds a place whose processes come and go by themselves.
func (h *Host) addLeaf(p place) { h.leaves = append(h.leaves, h.add(p)) }

func (h *Host) plantService(s *service) {
	main := h.add(place{programs: []program{s.main}, cgroup: s.cgroup})
	if s.most == 0 {
		return
	}
	for range min(1+h.random.IntN(s.most), h.cfg.Processes-len(h.places)) {
		h.addLeaf(place{programs: s.workers, cgroup: s.cgroup, parent: main})
	}
}

func (h *Host) plantJob(size int) {
	h.jobs = append(h.jobs, job{kind: &jobKinds[h.random.IntN(len(jobKinds))], first: len(h.places), last: len(h.places) + size})
	j := &h.jobs[len(h.jobs)-1]
	root := h.add(place{programs: []program{j.kind.root}, job: j})
	step := h.add(place{programs: []program{j.kind.step}, job: j, parent: root})
	for range size - 2 {
		h.addLeaf(place{programs: j.kind.workers, job: j, parent: step})
	}
}

// settle gives every place its first process. Services began with the host; what comes and goes began in the last hour.
func (h *Host) settle() {
	booting := min(h.boot/2, int64(time.Minute))
	for i := range h.places {
		p := &h.places[i]
		at := int64(i) * booting / int64(len(h.places))
		if p.job != nil || i > 0 && p.parent > 0 {
			recent := min(h.boot-booting, int64(time.Hour))
			at = h.boot - nsPerTick - h.random.Int64N(recent)
		}
		at = max(at, int64(h.places[p.parent].start)*nsPerTick)
		h.spawn(i, at)
		p.live(h.random, ticksAt(h.boot)-p.start)
	}
}
