package term

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// Width is how many cells of a terminal a safe text takes: letters of Chinese, Japanese and Korean take two, marks that join
// a letter take none. The tables are those of go-runewidth, which the progress bar brings along: nothing is added to the program.
func Width(s string) int { return cells.StringWidth(s) }

// cells counts as terminals with a Western or no locale do; the environment does not change a table.
var cells = &runewidth.Condition{}

// Fit shortens s to at most n cells, the last of which is then "…".
func Fit(s string, n int) string {
	if Width(s) <= n {
		return s
	}
	if n <= 0 {
		return ""
	}
	return cells.Truncate(s, n, "…")
}

// Pad fills s with spaces up to n cells: behind it, or before it when it is to stand on the right.
func Pad(s string, n int, right bool) string {
	fill := strings.Repeat(" ", max(0, n-Width(s)))
	if right {
		return fill + s
	}
	return s + fill
}

// indent is what stands before what is left of a line that is broken.
const indent = "    "

// Wrap breaks a safe line at blanks so that no part takes more than n cells; words that are too long are shortened. With an n of 0 or less
// the line stays whole.
func Wrap(s string, n int) (lines []string) {
	if n <= 0 || Width(s) <= n {
		return []string{s}
	}
	line := ""
	for _, word := range strings.SplitAfter(s, " ") {
		if line != "" && Width(line+strings.TrimRight(word, " ")) > n {
			lines = append(lines, Fit(strings.TrimRight(line, " "), n))
			line = indent
		}
		line += word
	}
	return append(lines, Fit(strings.TrimRight(line, " "), n))
}
