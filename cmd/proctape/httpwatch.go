package main

import (
	"context"
	"net/http"
	"time"
)

// watchAnswers has a handler answer whether it can read the database, again and again until ctx ends. Any answer is one: a recording that
// stands is no reason to restart who says so.
func watchAnswers(ctx context.Context, h http.Handler, beat func(), each time.Duration) error {
	if each <= 0 { // nobody wants to know
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(each)
	defer tick.Stop()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/readyz", nil)
		if err != nil {
			return err
		}
		h.ServeHTTP(unread{http.Header{}}, r)
		beat()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// unread is an answer that nobody reads.
type unread struct{ header http.Header }

// Header is the answer's header.
func (u unread) Header() http.Header { return u.header }

// Write drops a piece of the answer.
func (u unread) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader drops the status.
func (u unread) WriteHeader(int) {}
