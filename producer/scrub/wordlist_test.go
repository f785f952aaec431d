package scrub

import (
	"regexp"
	"strings"
)

// wordListPattern is the common way to scrub: a word list, and the value behind "=", ":" or a space.
var wordListPattern = regexp.MustCompile(`(?i)((?:[a-z0-9_.-]*(?:password|passwd|mysql_pwd|access_token|auth_token|api_key|apikey|secret|credentials)[a-z0-9_.-]*|stripetoken)(?:\s*[=:]\s*|\s+))("[^"]*"|'[^']*'|\S+)`)

// wordListCommand is the baseline that the labelled set has to be too hard for.
func wordListCommand(args []string) string {
	return wordListPattern.ReplaceAllString(strings.Join(args, " "), "${1}"+mask)
}
