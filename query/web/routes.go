package web

import (
	"net/http"

	"github.com/proctape/proctape/query"
)

// routes is the handler of all paths.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, e := range allEndpoints() {
		mux.HandleFunc(e.path, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, &e) })
	}
	mux.HandleFunc(apiPath+"stream", s.stream)
	mux.HandleFunc(apiPath+"sql", s.sql)
	mux.HandleFunc(monitorPath+"snapshot", func(w http.ResponseWriter, r *http.Request) { monitorSnapshot(s, w, r) })
	mux.HandleFunc(monitorPath+"stream", func(w http.ResponseWriter, r *http.Request) { monitorStream(s, w, r) })
	mux.HandleFunc(apiPath+"openapi.json", func(w http.ResponseWriter, r *http.Request) { s.write(w, r, document()) })
	mux.Handle("/metrics", s.metrics())
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) { s.write(w, r, probe{Status: "alive"}) })
	mux.HandleFunc("/readyz", s.ready)
	mux.HandleFunc("/", servePage)
	return mux
}

// probe is what probes get.
type probe struct {
	Status  string `json:"status"`
	Verdict string `json:"verdict,omitempty"` // well or degraded; none where nobody judges
}

// ready answers whether the database can be read now, and whether the recording goes on. Why it does not is for those who have
// the token, or ask "proctape status".
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	if _, err := query.Checkpoints(r.Context(), s.cfg.DB); err != nil {
		refuse(w, s.problemOf(r, err))
		return
	}
	if s.cfg.Status == nil {
		s.write(w, r, probe{Status: "ready"})
		return
	}
	switch status, err := s.statusNow(r.Context()); {
	case err != nil:
		refuse(w, &Problem{Title: "nobody knows whether the recording goes on", Status: http.StatusServiceUnavailable, Hint: "proctape status says why"})
	case status.Word == "standing":
		refuse(w, &Problem{Title: "the recording stands", Status: http.StatusServiceUnavailable, Hint: "proctape status says why"})
	default:
		s.write(w, r, probe{Status: "ready", Verdict: status.Word})
	}
}
