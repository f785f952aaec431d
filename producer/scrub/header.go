package scrub

import "strings"

// isHeader reports whether key is an HTTP header whose whole value is secret.
func isHeader(key string) bool {
	switch len(key) {
	case len("cookie"):
		return strings.EqualFold(key, "cookie")
	case len("set-cookie"):
		return strings.EqualFold(key, "set-cookie")
	case len("authorization"):
		return strings.EqualFold(key, "authorization")
	case len("proxy-authorization"):
		return strings.EqualFold(key, "proxy-authorization")
	}
	return len(key) > 2 && (key[0] == 'X' || key[0] == 'x') && key[1] == '-'
}

// markHeader masks a header's value, but for the scheme in front of it, up to the quote or the line that ends it.
func (v values) markHeader(start int) int {
	stop := "\r\n\"'`"
	if v.assignment.before == '"' || v.assignment.before == '\'' {
		stop = "\r\n" + string(v.assignment.before)
	}
	end := start + endOr(strings.IndexAny(v.text[start:v.assigner.end], stop), v.assigner.end-start)
	for end > start && (isSpace(v.text[end-1]) || v.text[end-1] == '\\') {
		end--
	}
	start = v.skipScheme(start, end)
	if value := v.text[start:end]; isHarmless(value) || value[0] == '$' && isShellName(value[1:]) {
		return 0
	}
	v.line.mark(start, end)
	return end
}

// skipScheme returns the place behind an authorization scheme at start, or start.
func (l *line) skipScheme(start, end int) int {
	scheme, rest, ok := strings.Cut(l.text[start:end], " ")
	if !ok || rest == "" {
		return start
	}
	switch strings.ToLower(scheme) {
	case "bearer", "basic", "digest", "token", "negotiate", "apikey", "api-key", "bot", "splunk", "genie-key", "snowflake":
		return start + len(scheme) + 1
	}
	return start
}
