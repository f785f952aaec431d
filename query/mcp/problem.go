package mcp

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/compare"
	"github.com/proctape/proctape/query/why"
)

// problem is what an agent is told of a question that was not answered. Names that come out of the record are marked as such.
type problem struct {
	What  string   `json:"error"`
	Input string   `json:"input,omitempty"` // the input that is wrong
	Hint  string   `json:"hint,omitempty"`
	There []string `json:"untrusted_there_are,omitempty"`    // names of the record
	Meant []string `json:"untrusted_did_you_mean,omitempty"` // those that the wrong one is like
}

func (p *problem) Error() string { return p.What }

func wrongInput(name, what, hint string) error { return &problem{What: what, Input: name, Hint: hint} }

// notRecorded says that a name is not in the record, and which are.
func notRecorded(input string, there, like []string) error {
	return &problem{What: "it was never recorded", Input: input, There: there, Meant: like}
}

// explain is what an agent is told of an error. What is not its to know goes to the log alone.
func (cfg *Config) explain(ctx context.Context, tool string, err error) []byte {
	p := problemOf(err)
	if p == nil && ctx.Err() != nil {
		p = &problem{What: "it was stopped after " + cfg.Deadline.String(), Hint: "ask for a shorter range, or pick a host or job"}
	}
	if p == nil {
		cfg.Logger.Error("a question could not be answered", "tool", tool, "error", err)
		p = &problem{What: "the record cannot be read", Hint: "what proctape mcp writes to its standard error says why; proctape status and proctape verify check the record"}
	}
	body, _ := json.Marshal(p) // it is texts
	return body
}

// problemOf says what is wrong with a question; nil where the question is not to blame.
func problemOf(err error) *problem {
	var p *problem
	var elsewhere *query.JobHostError
	var none *query.NoRunError
	var several *query.RunHostsError
	var wrong *query.StatementError
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, query.ErrCursor):
		return &problem{What: "it is no cursor", Input: "after", Hint: "give back what next had in an answer to the same question"}
	case errors.As(err, &elsewhere):
		return &problem{What: "the job is recorded, and not on this host", Input: "host", There: elsewhere.Hosts}
	case errors.Is(err, query.ErrNoJob):
		return &problem{What: "it was never recorded", Input: "job", Hint: "the tool jobs lists the jobs"}
	case errors.As(err, &none):
		return &problem{What: "the job has no such run", Input: "run", Hint: "the tool jobs, with job, lists its runs"}
	case errors.As(err, &several):
		return &problem{What: "jobs of several hosts have such a run", Input: "host", There: several.Hosts}
	case errors.Is(err, compare.ErrNothingBefore):
		return &problem{What: "there is no run to compare with", Input: "job", Hint: "the tool jobs, with job, lists its runs; a run that goes on is not compared"}
	case errors.Is(err, why.ErrNoProcess):
		return &problem{What: "nothing is recorded of such a process", Input: "pid", Hint: "the tool events lists what started and ended, with pids and ids; at picks a time"}
	case errors.Is(err, query.ErrNotARead):
		return &problem{What: err.Error(), Input: "statement", Hint: "nothing can be changed here"}
	case errors.Is(err, query.ErrNotOne):
		return &problem{What: err.Error(), Input: "statement", Hint: "ask for each by itself"}
	case errors.As(err, &wrong):
		return &problem{What: "SQLite refuses the statement", Input: "statement", Hint: "the resource proctape://schema has the tables and columns", There: []string{wrong.Error()}}
	}
	return nil
}
