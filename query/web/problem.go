package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/proctape/proctape/query"
)

// Problem is an error as a client gets it: RFC 9457, application/problem+json.
type Problem struct {
	Title     string `json:"title"`
	Status    int    `json:"status"`              // the HTTP status
	Detail    string `json:"detail,omitempty"`    // what is wrong
	Parameter string `json:"parameter,omitempty"` // the parameter that is wrong
	Hint      string `json:"hint,omitempty"`      // how to mend it
}

// Error is the problem as text.
func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

// badParameter says what is wrong with a parameter.
func badParameter(name, detail, hint string) *Problem {
	return &Problem{Title: "a parameter is wrong", Status: http.StatusBadRequest, Detail: detail, Parameter: name, Hint: hint}
}

// problemOf is what a client is told of an error. What is not the client's to know goes to the log alone.
func (s *Server) problemOf(r *http.Request, err error) *Problem {
	if p := notRecorded(err); p != nil {
		return p
	}
	var p *Problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, query.ErrCursor):
		return badParameter("after", "it is no cursor", "give back what next had in an answer to the same question")
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return &Problem{Title: "not answered in time", Status: http.StatusServiceUnavailable, Hint: "ask for a shorter range"}
	}
	s.cfg.Logger.Error("a request could not be answered", "path", r.URL.Path, "error", err)
	return &Problem{Title: "the record cannot be read", Status: http.StatusInternalServerError, Detail: "the server's log says why"}
}

// notRecorded says of what is not in the record which parameter named it, and what there is; nil for another error.
func notRecorded(err error) *Problem {
	var elsewhere *query.JobHostError
	var none *query.NoRunError
	var several *query.RunHostsError
	p := &Problem{Title: "not recorded", Status: http.StatusNotFound, Detail: err.Error()}
	switch {
	case errors.Is(err, query.ErrNoJob):
		p.Parameter, p.Hint = "job", "GET /api/v1/jobs lists the jobs"
	case errors.As(err, &elsewhere):
		p.Parameter, p.Hint = "host", "the hosts that have the job are "+strings.Join(elsewhere.Hosts, ", ")
	case errors.As(err, &none):
		p.Parameter, p.Hint = "run", "GET /api/v1/runs lists the runs of a job"
	case errors.As(err, &several):
		p.Title, p.Status, p.Parameter, p.Hint = "several runs", http.StatusConflict, "host", "host picks one, or give the run's id"
	default:
		return nil
	}
	return p
}

// refuse answers with a problem.
func refuse(w http.ResponseWriter, p *Problem) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Del("ETag")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client has gone
}
