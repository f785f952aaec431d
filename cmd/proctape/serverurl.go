package main

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// servers are the URLs that --server names, in text: one, or several with commas in between. A URL may hold a password or
// a token before its host, and more in a query; none of that is ever printed.
type servers string

// hidden stands for what is not printed.
const hidden = "***"

// String is the URLs without what is secret in them.
func (s servers) String() string {
	var shown []string
	for _, u := range s.split() {
		shown = append(shown, maskURL(u))
	}
	return strings.Join(shown, ",")
}

// split splits the list. A comma within a password does not end a URL.
func (s servers) split() []string {
	var list []string
	for part := range strings.SplitSeq(string(s), ",") {
		last := len(list) - 1
		if last >= 0 && strings.Contains(part, "@") && !strings.Contains(part, "://") && !strings.Contains(list[last], "@") && !plainServer.MatchString(list[last]) {
			list[last] += "," + part
			continue
		}
		list = append(list, part)
	}
	return list
}

// plainServer is a host and perhaps a port, with nothing that could be secret.
var plainServer = regexp.MustCompile(`^([a-z]+://)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%]+\])(:[0-9]{1,5})?/?$`)

// maskURL is a URL without what comes before its host's @, and what comes after a question mark or a number sign.
func maskURL(u string) string {
	scheme, rest, ok := strings.Cut(u, "://")
	if !ok {
		scheme, rest = "", u
	} else {
		scheme += "://"
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = hidden + rest[i:]
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i+1] + hidden
	}
	return scheme + rest
}

// check refuses what the client library would read in another way than it was meant: it would name parts of a password in
// its errors.
func (s servers) check() error {
	for _, u := range s.split() {
		full := u
		if !strings.Contains(u, "://") {
			full = "nats://" + u
		}
		parsed, err := url.Parse(full)
		at := strings.LastIndexByte(u, '@')
		if err != nil || parsed.Hostname() == "" || at >= 0 && (parsed.User == nil || strings.Contains(u[at:], "/@") || strings.Contains(u, ",")) {
			return hinted(misuse("--server %s is not a URL", maskURL(u)),
				"write it as nats://host:4222; in a user name or a password, write / as %%2F, @ as %%40, : as %%3A and a comma as %%2C")
		}
	}
	return nil
}

// connectError is the error of connecting to the servers, without what is secret in their URLs.
func (s servers) connectError(err error) error {
	text := err.Error()
	var bad *url.Error
	if errors.As(err, &bad) { // its text holds the URL, and parts of it
		text = "the URL cannot be read"
	}
	for _, u := range s.split() {
		text = strings.ReplaceAll(text, u, maskURL(u))
		_, rest, ok := strings.Cut(u, "://")
		if !ok {
			rest = u
		}
		if i := strings.LastIndexByte(rest, '@'); i > 0 {
			text = strings.ReplaceAll(text, rest[:i+1], hidden+"@")
		}
	}
	return &maskedError{fmt.Sprintf("connect to %s: %s", s, text), err}
}

// maskedError is an error with another text.
type maskedError struct {
	text string
	err  error
}

func (e *maskedError) Error() string { return e.text }
func (e *maskedError) Unwrap() error { return e.err }
