package web

import (
	"context"
	"net/http"
	"reflect"
	"slices"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/health"
)

// endpoint is a question that can be asked under a path: the server answers by it, and its OpenAPI document is made of it.
type endpoint struct {
	path, doc string
	params    []param
	needs     []string       // parameters that must be given
	values    []reflect.Type // of the answer: it is one of these
	settled   bool           // about a time that has ended, the answer changes only with [query.Revision]
	answer    func(ctx context.Context, s *Server, q *question) (any, error)
}

// single is an endpoint whose answer is one value. The parameters that it needs come last.
func single[T any](name, doc string, params []param, answer func(context.Context, *Server, *question) (*T, error), needs ...string) endpoint {
	return endpoint{path: apiPath + name, doc: doc, params: params, needs: needs, values: []reflect.Type{reflect.TypeFor[T]()},
		answer: func(ctx context.Context, s *Server, q *question) (any, error) { return answer(ctx, s, q) }}
}

// several is an endpoint whose answer is one of several types.
func several(name, doc string, params []param, answer func(context.Context, *Server, *question) (any, error), values []reflect.Type, needs ...string) endpoint {
	return endpoint{path: apiPath + name, doc: doc, params: params, needs: needs, values: values, answer: answer}
}

// settled is an endpoint whose answer about a time that has ended changes only with [query.Revision].
func settled(e endpoint) endpoint {
	e.settled = true
	return e
}

// apiPath is the beginning of the paths of endpoints.
const apiPath = "/api/v1/"

// serve answers a request to an endpoint.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, e *endpoint) {
	q := s.question()
	err := read(q, r.URL.Query(), e.params)
	for _, name := range e.needs {
		if err == nil && !r.URL.Query().Has(name) {
			err = badParameter(name, "it is missing", "say which")
		}
	}
	if err == nil {
		err = checkHost(r.Context(), s.cfg.DB, q.Host)
	}
	var revision string
	if err == nil && e.settled {
		revision, err = s.revision(r, q)
	}
	if tag := tagOfRevision(r, revision); err == nil && tag != "" { // what it has is what it would be told
		tagged(w.Header(), tag)
		w.WriteHeader(http.StatusNotModified)
		return
	}
	var value any
	if err == nil {
		value, err = e.answer(r.Context(), s, q)
	}
	if err != nil {
		refuse(w, s.problemOf(r, err))
		return
	}
	s.writeTagged(w, r, value, revision)
}

// question is a request that has said nothing yet.
func (s *Server) question() *question {
	q := &question{now: s.cfg.Now(), parseTime: s.cfg.ParseTime}
	q.Limit, q.by, q.sort = defaultLimit, "process", "cpu"
	return q
}

// checkHost refuses a host that was never recorded, as its answers would be empty for the wrong reason.
func checkHost(ctx context.Context, db *query.DB, host string) error {
	if host == "" {
		return nil
	}
	hosts, err := query.HostNames(ctx, db)
	if err == nil && !slices.Contains(hosts, host) {
		return badParameter("host", "it was never recorded", meant(host, hosts))
	}
	return err
}

// statusNow is how the recording is.
func (s *Server) statusNow(ctx context.Context) (*health.Status, error) {
	if s.cfg.Status == nil {
		return nil, &Problem{Title: "nobody judges here", Status: http.StatusNotFound, Detail: "this server answers from a database alone"}
	}
	return s.status.ask(ctx, s.cfg.Status)
}
