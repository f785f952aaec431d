package mcp

import (
	"cmp"
	"context"
	"slices"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/compare"
)

// timesAsked asks what differs between two times.
type timesAsked struct {
	Range
	Before string   `json:"before,omitempty" jsonschema:"time: when the other one begins, which is as long (default right before since)"`
	About  []string `json:"about,omitempty" jsonschema:"what differences are about: all, command, user, job, step, host, end (default all)"`
}

// timesOf answers what differs between two times.
func timesOf(ctx context.Context, a *asked, in *timesAsked) (*reply, error) {
	r, err := a.rangeOf(ctx, &in.Range)
	if err != nil {
		return nil, err
	}
	before, err := a.moment("before", in.Before)
	if err != nil {
		return nil, err
	}
	r.Until = cmp.Or(r.Until, a.unix())
	for _, by := range in.About {
		if !slices.Contains(compare.WindowBy, by) {
			return nil, wrongInput("about", "it is not one of what differences are about", "all, command, user, job, step, host, end")
		}
	}
	if r.Since == 0 || r.Since >= r.Until {
		return nil, wrongInput("since", "it is missing, or not before until", "write it as -15m, yesterday 14:00, RFC 3339, or Unix seconds")
	}
	w, err := compare.ReadWindows(ctx, a.db, compare.WindowQuestion{Filter: query.Filter{Range: r}, Before: before, By: in.About})
	if err != nil {
		return nil, err
	}
	return &reply{value: w, covers: slices.Concat(w.Window.Coverage, w.Against.Coverage)}, nil
}
