package scrub

import "strings"

// split appends the shell words of text[start:end] to words. It knows quotes, backslashes and what ends
// a command; it expands nothing. A quote that is never closed counts as a letter.
func split(words []word, text string, start, end int) []word {
	first, piped := true, false
	for i := start; i < end; {
		switch c := text[i]; {
		case c == ' ' || c == '\t' || c == '\r':
			i++
		case isCommandEnd(c):
			piped = c == '|' && (i == start || text[i-1] != '|')
			first = true
			i++
		default:
			stop := wordEnd(text, i, end)
			w := word{span: span{i, stop}, first: first, piped: piped}
			words = append(words, unquote(text, w))
			first, piped = false, false
			i = stop
		}
	}
	return words
}

func isCommandEnd(c byte) bool { return strings.IndexByte("\n;|&()`", c) >= 0 }

// wordEnd returns where the shell word that starts at i stops.
func wordEnd(text string, i, end int) int {
	for i < end {
		switch c := text[i]; {
		case isSpace(c) || isCommandEnd(c):
			return i
		case c == '\\':
			i += 2
		case c == '"' || c == '\'':
			i = quoteEnd(text, i, end)
		default:
			i++
		}
	}
	return end
}

// quoteEnd returns the place behind the quote that closes the one at i, or i+1 when there is none.
func quoteEnd(text string, i, end int) int {
	quote := text[i]
	for j := i + 1; j < end; j++ {
		switch {
		case text[j] == quote:
			return j + 1
		case text[j] == '\\' && quote == '"':
			j++
		}
	}
	return i + 1
}

// unquote leaves out quotes that enclose the whole word, also when they are escaped.
func unquote(text string, w word) word {
	for w.end-w.start >= 2 {
		first, last := text[w.start], text[w.end-1]
		switch {
		case (first == '"' || first == '\'') && first == last && quoteEnd(text, w.start, w.end) == w.end:
			w.quote = first
			w.start++
			w.end--
			return w
		case first == '\\' && (text[w.start+1] == '"' || text[w.start+1] == '\''):
			w.start += 2
		case last == '"' && text[w.end-2] == '\\':
			w.end -= 2
		default:
			return w
		}
	}
	return w
}
