package scrub

import "strings"

// maxVerb is how many words behind a verb a name may stand.
const maxVerb = 5

// settingMarker masks the values of settings that are named without dashes, as in "config set password VALUE".
type settingMarker struct{ *command }

// isVerb reports whether a name and a value may follow text.
func isVerb(text string) bool {
	switch len(text) {
	case 3:
		return text == "set" || text == "put"
	case 5:
		return text == "write"
	case 6:
		return text == "setenv" || text == "update"
	}
	return text == "set-env" || len(text) > 4 && strings.HasSuffix(text, ":set")
}

// startSetting notes the verb at word i, and masks the last word behind "password set" and "secret set NAME".
func (c settingMarker) startSetting(i int) {
	c.verb = i
	if i < 2 || c.scrubber.strength(c.at(c.words[i-1])) < likely {
		return
	}
	switch len(c.words) {
	case i + 2: // password set VALUE
		c.markPart(bare, c.words[i+1].start, c.words[i+1].end)
	case i + 3: // secret set NAME VALUE
		c.markPart(bare, c.words[i+2].start, c.words[i+2].end)
	}
}

// isVerbOption reports whether an option takes a name and a value.
func isVerbOption(text string) bool {
	return text == "--set" || text == "--arg" || text == "--argjson" || text == "--setenv"
}

// markSetting masks the word behind word i if that names a secret.
func (c settingMarker) markSetting(i int, text string) {
	isBare := c.tool != nil && (c.tool.bare || c.tool.pairs)
	isSetting := i-c.verb < maxVerb || i > 0 && isVerbOption(c.at(c.words[i-1]))
	isAlone := len(c.words)-c.start == 2 && i == c.start
	if !isBare && !isSetting && !isAlone || strings.ContainsAny(text, "=/ ") {
		return
	}
	got := c.scrubber.strength(strings.TrimPrefix(text, `\`))
	if i = c.next(i); got == public || i < 0 || c.isVariable(i) {
		return
	}
	v := c.at(c.words[i])
	switch {
	case isAlone && c.depth == 0, isProse(v):
	case isSetting && got >= likely && c.depth > 0 && c.verb != c.start && !isVerbOption(c.at(c.words[i-2])), isAlone && got >= likely:
		c.markValue(vague, c.words[i].start, c.words[i].end)
	case isRandom(v), got >= likely && (isSetting || c.tool != nil && c.tool.pairs),
		got >= turn && strings.ContainsAny(text, "._"):
		c.markValue(got, c.words[i].start, c.words[i].end)
	}
}

// isProse reports whether v, behind the word for a secret, makes a phrase of it: password reset.
func isProse(v string) bool {
	if isTaskVerb(v) {
		return true
	}
	switch v {
	case "is", "for", "of", "in", "on", "to", "or", "and", "the", "a", "protected", "required", "expired", "policy", "generator", "manager", "santa", "service",
		"auth", "bucket", "store", "not", "has", "was", "must", "file", "field", "length", "strength", "hashing", "based", "ring", "parser", "count":
		return true
	}
	return false
}

// markReplacement masks the text that an editor's script puts in the place of a secret's name, as in s/PASSWORD/SECRET/.
func (c settingMarker) markReplacement(w word) {
	text := c.at(w)
	if len(text) < 6 || text[0] != 's' || isAlnum(text[1]) || text[1] == ' ' || text[1] == '\\' || text[1] == '-' || text[1] == '.' || text[1] == '=' {
		return
	}
	parts := strings.SplitN(text[2:], text[1:2], 3)
	if len(parts) != 3 || parts[1] == "" {
		return
	}
	name := strings.Trim(parts[0], "@{}$^_<>%#*.\\=: \"'")
	if len(name) > maxKey || strings.ContainsAny(name, " ([") || c.scrubber.strength(name) < likely || parts[0] == strings.ToLower(name) || isPattern(parts[1]) || strings.ContainsAny(parts[1], "=:") {
		return
	}
	if c.scrubber.strength(parts[1]) >= likely { // one name for another
		return
	}
	start := w.start + 2 + len(parts[0]) + 1
	c.markValue(likely, start, start+len(parts[1]))
}
