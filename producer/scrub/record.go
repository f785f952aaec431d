package scrub

import "strings"

// markRecord masks the password in the lines of .netrc and .pgpass files that a script writes. It reports whether word i is such
// a line.
func (c *command) markRecord(i int) bool {
	text := c.at(c.words[i])
	if text == "password" && i >= 2 && c.at(c.words[i-2]) == "login" && i+1 < len(c.words) {
		c.markValue(certain, c.words[i+1].start, c.words[i+1].end)
		return true
	}
	if strings.Count(text, ":") < 4 {
		return false
	}
	host, rest, _ := strings.Cut(text, ":")
	port, rest, _ := strings.Cut(rest, ":")
	db, rest, _ := strings.Cut(rest, ":")
	user, password, ok := strings.Cut(rest, ":")
	isPort := port == "*" || len(port) >= 2 && len(port) <= 5 && isNumbers(port) && !strings.ContainsAny(port, ".-/")
	if !ok || !isPort || host == "" || db == "" || user == "" {
		return false
	}
	c.markValue(certain, c.words[i].end-len(password), c.words[i].end)
	return true
}
