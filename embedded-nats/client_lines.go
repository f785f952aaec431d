package embeddednats

import (
	"regexp"
	"strings"
	"sync"
	"time"
)

// What is said of one client: so many lines a minute. A client that has a key may do what it likes as often as it likes; what the log of the
// recorder holds, it does not decide.
const (
	linesOfClient = 5
	linesFor      = time.Minute
	mostClients   = 1024
)

// clientLines counts the server's lines about each client.
type clientLines struct {
	mu     sync.Mutex
	tallys map[string]*tally
}

// tally is what was said of a client, and what was not, since a time.
type tally struct {
	since        time.Time
	said, unsaid int
}

// take counts a line. Pass is whether it is to be said; about is what is to be said with it: how many lines of the client before it
// were not, or that those behind it will not be.
func (c *clientLines) take(text string, now time.Time) (pass bool, about []any) {
	who := clientOf(text)
	if who == "" {
		return true, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tallys[who]
	if t == nil {
		if c.tallys == nil || len(c.tallys) >= mostClients {
			c.tallys = map[string]*tally{}
		}
		t = &tally{since: now}
		c.tallys[who] = t
	}
	if now.Sub(t.since) >= linesFor {
		if t.unsaid > 0 {
			about = append(about, "unsaid", t.unsaid)
		}
		*t = tally{since: now}
	}
	if t.said >= linesOfClient {
		t.unsaid++
		return false, nil
	}
	if t.said++; t.said == linesOfClient {
		about = append(about, "more_of_this_client", "counted and not said for up to "+linesFor.String())
	}
	return true, about
}

// Lines about a client begin with its address and the number of its connection, which are others each time; the server quotes the
// user behind them: ClientConn lines of nats-server's client.go.
var (
	clientLine = regexp.MustCompile(`^(\S+):\d+ - [a-z]+:\d+ - `)
	clientUser = regexp.MustCompile(`"([^"]*/?nkey:[A-Z0-9]+)"`)
)

// clientOf is whom a line is about: a key, or else an address; empty for nobody.
func clientOf(text string) string {
	text = strings.ReplaceAll(text, `\"`, `"`)
	if m := clientLine.FindStringSubmatch(text); m != nil {
		if user := clientUser.FindStringSubmatch(text); user != nil {
			return user[1]
		}
		return m[1]
	}
	return ""
}
