package mcp

import (
	"context"
	"slices"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
	"github.com/proctape/proctape/schema"
)

// eventsAsked asks what happened.
type eventsAsked struct {
	Range
	Picks
	Order    string       `json:"order,omitempty" jsonschema:"which come first (default newest)"`
	After    query.Cursor `json:"after,omitempty" jsonschema:"go on behind the item of which an answer gave this as next"`
	Type     string       `json:"type,omitempty" jsonschema:"only events of this type"`
	Failed   bool         `json:"failed,omitempty" jsonschema:"only ends by a signal or with another exit code than 0"`
	ExitCode *int64       `json:"exit_code,omitempty" jsonschema:"only ends with this exit code"`
	Signal   *int64       `json:"signal,omitempty" jsonschema:"only what a signal of this number ended"`
}

// events answers what happened.
func events(ctx context.Context, a *asked, in *eventsAsked) (*reply, error) {
	r, err := a.rangeOf(ctx, &in.Range)
	if err != nil {
		return nil, err
	}
	f, err := a.filterOf(ctx, &in.Picks, r)
	if err != nil {
		return nil, err
	}
	if err := query.CheckCursor(string(in.After)); in.After != "" && err != nil {
		return nil, err
	}
	f.After, f.Reverse = in.After, in.Order != "oldest"
	f.Failed, f.ExitCode, f.Signal = in.Failed, in.ExitCode, in.Signal
	if in.Type != "" {
		f.Types = []string{in.Type}
	}
	f.Limit++ // one more says whether there are more
	all, err := query.Events(ctx, a.db, f)
	if err != nil {
		return nil, err
	}
	list, cut := cutItems(all, r.Limit)
	covers, err := a.covered(ctx, r)
	answer := &reply{value: list, covers: covers, cut: cut}
	if cut {
		answer.next = list.cursor()
	}
	return answer, err
}

// gapsAsked asks what is missing.
type gapsAsked struct {
	Range
	Kind string `json:"kind,omitempty" jsonschema:"only gaps of this kind"`
}

// gaps answers what is missing: in the last hour where no time is given.
func gaps(ctx context.Context, a *asked, in *gapsAsked) (*reply, error) {
	r, err := a.rangeOf(ctx, &in.Range)
	if err != nil {
		return nil, err
	}
	if kinds := gapKinds(); in.Kind != "" && !slices.Contains(kinds, in.Kind) {
		p := &problem{What: "there is no such kind", Input: "kind", Hint: "the resource proctape://gap-kinds has all"}
		if like := term.Closest(in.Kind, kinds); len(like) > 0 {
			p.Hint = "did you mean " + like[0] + "? " + p.Hint
		}
		return nil, p
	}
	limit := r.Limit
	r.Limit, r.Newest = limit+1, true
	all, err := query.Gaps(ctx, a.db, r, schema.GapKind(in.Kind))
	if err != nil {
		return nil, err
	}
	cut := len(all) > limit
	list := &items[query.Gap]{Items: all[max(0, len(all)-limit):]}
	slices.Reverse(list.Items)
	if r.Until == 0 {
		r.Until = a.unix()
	}
	if r.Since == 0 {
		r.Since = r.Until - lastHour
	}
	covers, err := a.covered(ctx, r)
	return &reply{value: list, covers: covers, cut: cut}, err
}

// topAsked asks who used most.
type topAsked struct {
	Range
	Picks
	At   string `json:"at,omitempty" jsonschema:"time: as it was then"`
	By   string `json:"by,omitempty" jsonschema:"a line for each of these (default process)"`
	Sort string `json:"sort,omitempty" jsonschema:"the most first of this (default cpu)"`
}

// top answers who used most.
func top(ctx context.Context, a *asked, in *topAsked) (*reply, error) {
	r, err := a.rangeOf(ctx, &in.Range)
	if err != nil {
		return nil, err
	}
	f, err := a.filterOf(ctx, &in.Picks, r)
	if err != nil {
		return nil, err
	}
	q := query.TopQuery{Filter: f, By: or(in.By, "process"), Sort: or(in.Sort, "cpu")}
	var t *query.Top
	switch {
	case in.At != "" && (in.Since != "" || in.Until != ""):
		return nil, wrongInput("at", "it does not go with since and until", "at is one time, the others are a range")
	case in.Until != "" && in.Since == "":
		return nil, wrongInput("until", "it is given without since", "at is for one time")
	case in.Since != "":
		if q.Until == 0 {
			q.Until = a.unix()
		}
		t, err = query.TopOf(ctx, a.db, q)
	default:
		var at float64
		if at, err = a.at(in.At); err == nil {
			t, err = query.TopAt(ctx, a.db, at, q)
		}
	}
	if err != nil {
		return nil, err
	}
	return &reply{value: &lines{t}, covers: t.Coverage, cut: t.Lines > len(t.Rows)}, nil
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
