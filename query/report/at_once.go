package report

import "github.com/proctape/proctape/query"

// atOnceWith are the numbers of the runs that went on while another did, which is among them.
func atOnceWith(run *query.Run, all []query.Run, now float64) (numbers []int64) {
	for i := range all {
		of := &all[i]
		if of.ID != run.ID && of.Started < endOf(run, now) && run.Started < endOf(of, now) {
			numbers = append(numbers, of.Number)
		}
	}
	return numbers
}

// endOf is when a run ended, or now.
func endOf(r *query.Run, now float64) float64 {
	if r.Ended != nil {
		return *r.Ended
	}
	return now
}

// forgetCounted takes away what was counted by what processes tell, which is of all runs that went on.
func forgetCounted(t *query.Totals) {
	counted := func(source *string) bool { return source != nil && (*source == "exits" || *source == "samples") }
	if counted(t.CPUSource) {
		t.SetCPU(nil, nil, nil)
	}
	if counted(t.PeakSource) {
		t.PeakRSS, t.PeakSource = nil, nil
	}
	if counted(t.IOSource) {
		t.Read, t.Write, t.IOSource = nil, nil, nil
	}
}
