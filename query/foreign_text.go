package query

import "strings"

// StatementsIn is how many statements a text of SQL holds. Blanks, comments and semicolons are none.
func StatementsIn(text string) (n int) {
	inside := false
	for text != "" {
		token := sqlToken(text)
		text = text[len(token):]
		switch {
		case token == ";":
			inside = false
		case isBlankSQL(token):
		case !inside:
			inside = true
			n++
		}
	}
	return n
}

// hasWord reports whether a word stands in a text of SQL, outside of quotes and comments.
func hasWord(text, word string) bool {
	for text != "" {
		token := sqlToken(text)
		if strings.EqualFold(token, word) {
			return true
		}
		text = text[len(token):]
	}
	return false
}

// PlaceIn is where a word of SQL stands in a text, as line and column from 1 on; 0 when it stands there more than once, or not at all.
// A word within quotes or a comment is none.
func PlaceIn(text, word string) (line, column int) {
	rest, found := text, -1
	for rest != "" {
		token := sqlToken(rest)
		if strings.EqualFold(token, word) {
			if found >= 0 {
				return 0, 0
			}
			found = len(text) - len(rest)
		}
		rest = rest[len(token):]
	}
	if found < 0 {
		return 0, 0
	}
	before := text[:found]
	return 1 + strings.Count(before, "\n"), 1 + len([]rune(before[strings.LastIndex(before, "\n")+1:]))
}

// isBlankSQL reports whether a token means nothing.
func isBlankSQL(token string) bool {
	return strings.TrimSpace(token) == "" || strings.HasPrefix(token, "--") || strings.HasPrefix(token, "/*")
}

// sqlToken is what a text of SQL begins with: a comment, something in quotes, a word, or one character (sqlite.org/lang.html).
// What is not closed goes to the end.
func sqlToken(text string) string {
	closed := func(end string, from int) string {
		if i := strings.Index(text[from:], end); i >= 0 {
			return text[:from+i+len(end)]
		}
		return text
	}
	switch c := text[0]; {
	case strings.HasPrefix(text, "--"):
		return closed("\n", 2)
	case strings.HasPrefix(text, "/*"):
		return closed("*/", 2)
	case c == '\'' || c == '"' || c == '`': // a doubled quote is two strings in a row here, which changes nothing
		return closed(string(c), 1)
	case c == '[':
		return closed("]", 1)
	case isWordSQL(c):
		n := 1
		for n < len(text) && isWordSQL(text[n]) {
			n++
		}
		return text[:n]
	}
	return text[:1]
}

// isWordSQL reports whether a byte is one of a name or a number.
func isWordSQL(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
