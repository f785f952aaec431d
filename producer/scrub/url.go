package scrub

import "strings"

// maxAuthority is the most that is looked at of a URL's user, password and host.
const maxAuthority = 1024

// markURLs masks passwords and opaque user names in front of the host of a URL or of a database address.
func (l *line) markURLs() {
	for from := 0; ; {
		i := strings.Index(l.text[from:], "://")
		if i < 0 {
			break
		}
		start := from + i + len("://")
		if from+i > 0 && isAlnum(l.text[from+i-1]) {
			l.markUserinfo(start, authorityEnd(l.text, start))
		}
		from = start
	}
	if i := strings.Index(l.text, "jdbc:oracle:"); i >= 0 {
		if at := strings.IndexByte(l.text[i:authorityEnd(l.text, i)], '@'); at > 0 {
			l.markAddress(i + at)
		}
	}
	for _, network := range [...]string{"@tcp(", "@unix(", "@(", "@//"} {
		if i := strings.Index(l.text, network); i > 0 {
			l.markAddress(i)
		}
	}
}

// authorityEnd returns where the host of the URL whose authority starts at start ends. An "@" behind it counts
// if what comes before is no host and port: passwords hold slashes, too.
func authorityEnd(text string, start int) int {
	rest := text[start:min(start+maxAuthority, len(text))]
	rest = rest[:endOr(strings.IndexAny(rest, " \t\r\n\"'<>`"), len(rest))]
	host := rest[:endOr(strings.IndexAny(rest, "/?#\\"), len(rest))]
	if strings.IndexByte(host, '@') >= 0 {
		return start + len(host)
	}
	if _, port, ok := strings.Cut(host, ":"); ok && host[0] != '[' && !isNumbers(port) && !isReference(port+" ") {
		return start + len(rest)
	}
	return start + len(host)
}

// markUserinfo masks what is secret in text[start:end], a URL's user, password and host.
func (l *line) markUserinfo(start, end int) {
	at := strings.LastIndexByte(l.text[start:end], '@')
	if at < 0 {
		return
	}
	userinfo := l.text[start : start+at]
	user, password, ok := strings.Cut(userinfo, ":")
	if password == "x-oauth-basic" || password == "x-oauth-token" || password == "api_token" {
		l.mark(start, start+len(user))
	}
	if ok && !isHarmless(password) {
		l.mark(start+len(user)+1, start+at)
	}
	if len(user) >= 16 && isRandom(user) {
		l.mark(start, start+len(user))
	}
}

// markAddress masks the password in user:password@tcp(host) and user/password@//host, given the place of the "@".
func (l *line) markAddress(at int) {
	start := strings.LastIndexAny(l.text[:at], " =\"'") + 1
	i := strings.IndexAny(l.text[start:at], "/:")
	if strings.HasPrefix(l.text[start:at], "jdbc:oracle:") {
		i = strings.LastIndexByte(l.text[start:at], '/')
	}
	if i < 0 || strings.Contains(l.text[start:at], "://") || isHarmless(l.text[start+i+1:at]) {
		return
	}
	l.mark(start+i+1, at)
}
