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
	mux.HandleFunc(apiPath+"openapi.json", func(w http.ResponseWriter, r *http.Request) { s.write(w, r, document()) })
	mux.Handle("/metrics", s.metrics())
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) { s.write(w, r, health{"alive"}) })
	mux.HandleFunc("/readyz", s.ready)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, &Problem{Title: "no such path", Status: http.StatusNotFound, Hint: "GET " + apiPath + "openapi.json lists what there is"})
	})
	return mux
}

// health is what probes get.
type health struct {
	Status string `json:"status"`
}

// ready answers whether the database can be read now.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	if _, err := query.Checkpoints(r.Context(), s.cfg.DB); err != nil {
		refuse(w, s.problemOf(r, err))
		return
	}
	s.write(w, r, health{"ready"})
}
