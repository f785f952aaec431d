// Package simulate makes the messages of hosts that do not exist: a configuration goes in, and out come the snapshots
// and events that samplers on so many machines would publish.
//
// A [Fleet] is a pure function of its [Config]: it has no clock and does no I/O, so that a test can have a month of
// messages in seconds, the same ones every time. [Run] publishes a fleet's messages through a connection, as they come
// due or as fast as the log takes them.
//
// # What is simulated
//
// Every host has a tree of services, sessions and jobs. Most processes sleep, some use a little, few are busy. A job
// has numbered steps; a step is over when so many of its processes have come and gone, and all that are left of it end
// then. Pids rise and begin again at the bottom, so they are used more than once. What a process used adds up: its
// CPU time is what the permilles of the intervals come to, and all processes of a host together never use more than
// the host has.
package simulate

import "errors"

// Fleet is hosts that do not exist. It is for one goroutine; two fleets share nothing.
type Fleet struct {
	cfg     Config
	hosts   []*Host
	scratch scratch
}

// NewFleet makes the hosts as they are before their first snapshot.
func NewFleet(cfg Config) (*Fleet, error) {
	if err := errors.Join(cfg.Validate(), checkTrouble(&cfg)); err != nil {
		return nil, err
	}
	f := &Fleet{cfg: cfg, hosts: make([]*Host, cfg.Hosts)}
	for i := range f.hosts {
		f.hosts[i] = newHost(&f.cfg, i, &f.scratch)
	}
	return f, nil
}

// Host returns host i, from 0.
func (f *Fleet) Host(i int) *Host { return f.hosts[i] }

// Len is how many hosts there are.
func (f *Fleet) Len() int { return len(f.hosts) }
