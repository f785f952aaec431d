package simulate

import "time"

// layOut lays out the tree: init, the jobs, the sampler, and services in what room is left. A parent comes before its
// children.
func (m *machine) layOut() {
	n := m.cfg.Processes
	m.places = make([]place, 0, n)
	m.jobs = make([]job, 0, m.cfg.Jobs) // places point into it
	m.add(place{programs: []program{initProgram}, cgroup: "/init.scope"})
	for range m.cfg.Jobs {
		m.addJob(min(max(smallestJob, (n-1)/(2*m.cfg.Jobs)), largestJob))
	}
	if len(m.places) < n {
		m.sampler = m.add(place{programs: []program{samplerProgram}, cgroup: "/system.slice/proctape.service"})
	}
	for i := 0; len(m.places) < n; i++ {
		if i/2 < len(daemons) && i%2 == 0 {
			m.addService(&daemons[i/2])
		} else {
			m.addService(&services[m.random.IntN(len(services))])
		}
	}
}

func (m *machine) add(p place) int {
	m.places = append(m.places, p)
	return len(m.places) - 1
}

// addLeaf adds a place whose processes come and go by themselves.
func (m *machine) addLeaf(p place) { m.leaves = append(m.leaves, m.add(p)) }

func (m *machine) addService(s *service) {
	main := m.add(place{programs: []program{s.main}, cgroup: s.cgroup})
	if s.most == 0 {
		return
	}
	for range min(1+m.random.IntN(s.most), m.cfg.Processes-len(m.places)) {
		m.addLeaf(place{programs: s.workers, cgroup: s.cgroup, parent: main})
	}
}

func (m *machine) addJob(size int) {
	m.jobs = append(m.jobs, job{kind: &jobKinds[m.random.IntN(len(jobKinds))], first: len(m.places), last: len(m.places) + size})
	j := &m.jobs[len(m.jobs)-1]
	root := m.add(place{programs: []program{j.kind.root}, job: j})
	step := m.add(place{programs: []program{j.kind.step}, job: j, parent: root})
	for range size - 2 {
		m.addLeaf(place{programs: j.kind.workers, job: j, parent: step})
	}
}

// fillPlaces puts the first process into every place. Services began with the host; what comes and goes began in the last hour.
func (m *machine) fillPlaces() {
	booting := min(m.boot/2, int64(time.Minute))
	for i := range m.places {
		p := &m.places[i]
		at := int64(i) * booting / int64(len(m.places))
		if p.job != nil || i > 0 && p.parent > 0 {
			recent := min(m.boot-booting, int64(time.Hour))
			at = m.boot - nsPerTick - m.random.Int64N(recent)
		}
		at = max(at, int64(m.places[p.parent].start)*nsPerTick)
		m.spawn(i, at)
		p.ageUnseen(m.random, ticksAt(m.boot)-p.start)
	}
}
