package scrub

import "strings"

// markValue masks text[start:end] if it is a secret for a key of this strength.
func (l *line) markValue(got strength, start, end int) bool {
	if start >= end {
		return false
	}
	if got == located {
		l.markPart(beforeAt, start, end)
		return false
	}
	if got >= turn && strings.HasPrefix(l.text[start:end], "pass:") {
		start += len("pass:")
	}
	if !got.isSecret(l.text[start:end]) {
		return false
	}
	l.mark(start, end)
	return true
}

// markPart masks the secret part of the value text[start:end].
func (l *line) markPart(p part, start, end int) {
	if start >= end {
		return
	}
	v := l.text[start:end]
	switch p {
	case nothing:
		return
	case random:
		l.markValue(vague, start, end)
		return
	case bare:
		if v[0] != '/' && !strings.ContainsAny(strings.TrimRight(v, "="), "=>") && !isAlgorithm(v) && !isPrompt(v) {
			l.markValue(likely, start, end)
		}
		return
	case cookie:
		if !isPath(v) && !isHarmless(v) && (strings.Contains(v, "=") || isRandom(v)) {
			l.mark(start, end)
		}
		return
	}
	from, to, ok := p.secretIn(v)
	if ok && !isNumberPair(v) {
		l.markValue(certain, start+from, start+to)
	}
}

// secretIn returns where in v the secret part is. It reports false when v has none.
func (p part) secretIn(v string) (from, to int, ok bool) {
	separator := byte(0)
	switch p {
	case whole:
		return 0, len(v), true
	case afterColon, beforeAt:
		separator = ':'
	case afterPercent:
		separator = '%'
	case afterEquals:
		i := strings.IndexByte(v, '=')
		return i + 1, len(v), i > 0
	case afterData:
		i := strings.Index(v, "data=") + len("data=")
		return i, i + endOr(strings.IndexByte(v[i:], ','), len(v)-i), i >= len("data=")
	case afterSign:
		return 1, len(v), strings.IndexByte("><#!", v[0]) >= 0
	case afterComma:
		separator = ','
	case afterSlash:
		separator = '/'
	}
	i := strings.IndexByte(v, separator)
	if i <= 0 || strings.Contains(v, "://") || strings.HasPrefix(v, "jdbc:") {
		return 0, 0, false
	}
	to = len(v)
	if p == afterSlash || p == beforeAt {
		to = endOr(strings.LastIndexByte(v, '@'), to)
	}
	return i + 1, to, i+1 < to && (p != beforeAt || to < len(v))
}

// isPrompt reports whether v is what a script answers to a prompt, or a short word.
func isPrompt(v string) bool {
	v = strings.TrimSuffix(strings.TrimSuffix(v, `\n`), `\r`)
	switch v {
	case "exit", "quit", "logout", "enable", "status", "list", "show", "yes", "no":
		return true
	}
	return len(v) < 4
}

func endOr(i, otherwise int) int {
	if i < 0 {
		return otherwise
	}
	return i
}
