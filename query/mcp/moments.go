package mcp

import (
	"context"

	"github.com/proctape/proctape/query"
)

// momentAsked asks for the processes of a time.
type momentAsked struct {
	OfHost
	Picks
	At    string `json:"at,omitempty" jsonschema:"time: as it was then (default now)"`
	Limit int    `json:"limit,omitempty" jsonschema:"at most so many processes (default 200)"`
}

// usualProcesses is how many processes are told of when nobody says.
const usualProcesses = 200

// read reads the moment, and what picks processes.
func (in *momentAsked) read(ctx context.Context, a *asked) (at float64, f query.Filter, err error) {
	if at, err = a.at(in.At); err == nil {
		f, err = a.filterOf(ctx, &in.Picks, query.Range{Host: in.Host})
	}
	return at, f, err
}

// tree answers the processes of a time as they bore each other.
func tree(ctx context.Context, a *asked, in *momentAsked) (*reply, error) {
	at, f, err := in.read(ctx, a)
	if err != nil {
		return nil, err
	}
	all, err := query.TreeAt(ctx, a.db, at, f)
	if err != nil {
		return nil, err
	}
	t := &trees{Hosts: []treeOf{}}
	for i := range all {
		t.Hosts = append(t.Hosts, treeOf{all[i].Host, all[i].Timestamp, countNodes(all[i].Roots), all[i].Roots})
	}
	cut := t.keep(limitOf(in.Limit, usualProcesses))
	covers, err := query.MomentCoverage(ctx, a.db, at, in.Host)
	return &reply{value: t, covers: covers, cut: cut}, err
}

// orphans answers what outlived its parent or its job.
func orphans(ctx context.Context, a *asked, in *momentAsked) (*reply, error) {
	at, f, err := in.read(ctx, a)
	if err != nil {
		return nil, err
	}
	all, err := query.OrphansAt(ctx, a.db, at, f)
	if err != nil {
		return nil, err
	}
	list, cut := cutItems(all, limitOf(in.Limit, usualProcesses))
	covers, err := query.MomentCoverage(ctx, a.db, at, in.Host)
	return &reply{value: list, covers: covers, cut: cut}, err
}
