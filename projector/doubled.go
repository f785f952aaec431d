package projector

import (
	"strings"
	"time"

	"github.com/proctape/proctape/schema/trouble"
)

// doubled are the hosts that two samplers record under one name, and when that was last seen. It outlives sessions. One goroutine uses it.
type doubled struct {
	report *trouble.Reporter
	seen   map[string]time.Time
}

// doubledFor is for how long nothing is set aside before it is over.
const doubledFor = time.Minute

// note tells of hosts of which snapshots were set aside, and why.
func (d *doubled) note(hosts map[string]string) {
	for host, why := range hosts {
		host = strings.Clone(host) // that of the batch is part of a message
		d.seen[host] = time.Now()
		d.report.Begin(reporting, trouble.Trouble{Kind: trouble.TwoRecorders, About: host, Reason: why})
	}
}

// check ends what is over.
func (d *doubled) check() {
	for host, at := range d.seen {
		if time.Since(at) > doubledFor {
			delete(d.seen, host)
			d.report.End(reporting, trouble.TwoRecorders, host, "nothing counted twice; `proctape gaps` says what was set aside")
		}
	}
}
