package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/proctape/proctape/query"
)

// Client asks the API of one server. Make it with [New].
type Client struct {
	base  string // without a slash at its end
	token string
	http  http.Client

	mu    sync.Mutex
	noted provenAt
}

// provenAt is what the server said of its proof, and when.
type provenAt struct {
	at         time.Time
	now, noted query.Proven
}

// mostError is how many bytes of a problem are read.
const mostError = 64 << 10

// value asks a question whose answer is one value.
func (c *Client) value(ctx context.Context, name string, params url.Values, into any) error {
	answer, err := c.ask(ctx, name, params, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
		return fmt.Errorf("read the answer of %s: %w", c.base, err)
	}
	return nil
}

// ask asks a question. The caller closes the body of the answer.
func (c *Client) ask(ctx context.Context, name string, params url.Values, header http.Header) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/api/v1/"+name+"?"+params.Encode(), nil)
	if err != nil {
		return nil, err
	}
	for key, values := range header {
		r.Header[key] = values
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if answer.StatusCode == http.StatusOK {
		return answer, nil
	}
	defer answer.Body.Close()
	return nil, c.problem(answer)
}

// UnreachableError says that a server could not be asked.
type UnreachableError struct {
	URL string
	Err error
}

func (e *UnreachableError) Error() string { return fmt.Sprintf("ask %s: %v", e.URL, e.Err) }

// Unwrap is the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

// unreachable is the error of a request, without the statement that stands in its URL.
func (c *Client) unreachable(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err
	}
	return &UnreachableError{c.base, err}
}

// RefusedError is a problem that a server answered with.
type RefusedError struct {
	URL    string
	Status int
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Hint   string `json:"hint"`
}

func (e *RefusedError) Error() string {
	text := e.Title
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return fmt.Sprintf("ask %s: %s", e.URL, text)
}

// problem reads why a server refused.
func (c *Client) problem(answer *http.Response) error {
	e := &RefusedError{URL: c.base, Status: answer.StatusCode}
	body, _ := io.ReadAll(io.LimitReader(answer.Body, mostError)) // what there is of it
	if !strings.HasPrefix(answer.Header.Get("Content-Type"), "application/problem+json") || json.Unmarshal(body, e) != nil || e.Title == "" {
		e.Title = "it answers " + answer.Status + " and is no recorder"
	}
	return e
}
