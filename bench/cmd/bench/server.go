package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// server is a server of the page.
type server struct {
	*child
	url, token string
}

// serve serves a folder on a port that is free.
func serve(b *bench, dir string) (*server, error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		return nil, err
	}
	c, err := b.start("The token is in", b.proctape, "serve", "--data", dir, "--http", address)
	if err != nil {
		return nil, err
	}
	token, err := os.ReadFile(filepath.Join(dir, "creds", "http.token"))
	return &server{c, "http://" + address, strings.TrimSpace(string(token))}, err
}

// get asks a question, and returns the answer.
func (s *server) get(b *bench, path string) ([]byte, error) {
	r, err := http.NewRequestWithContext(b.ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = errors.New(path + ": " + answer.Status + " " + string(tail(body)))
	}
	return body, err
}
