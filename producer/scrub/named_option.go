package scrub

import "strings"

// markOption masks the value behind an option whose name says that it is secret.
func (c *command) markOption(i int, text string) {
	inputMarker{c}.markForOption(i, text)
	name := strings.TrimLeft(text, "-+")
	switch {
	case text[0] == '/':
		name = text[1:]
		if value, ok := strings.CutPrefix(text, "/p:"); ok && !strings.Contains(value, "=") {
			c.markValue(likely, c.words[i].start+len("/p:"), c.words[i].end)
			return
		}
	case len(name) == 1 && strings.IndexByte("pPwk", name[0]) >= 0:
		accountMarker{c}.markShort(i)
		return
	case c.depth > 0:
		if _, after, ok := strings.Cut(name, "=-"); ok { // ARGS=--password VALUE
			name = strings.TrimLeft(after, "-")
		}
	}
	if len(name) < 2 || len(name) > maxKey || strings.ContainsAny(name, "= /") {
		return
	}
	if k := strings.LastIndexByte(name, ':'); k >= 0 {
		if name = name[k+1:]; c.scrubber.strength(name) < likely { // Database:Password VALUE
			return
		}
	}
	got := c.scrubber.strength(name)
	j := c.next(i)
	if j < 0 || c.isVariable(j) {
		return
	}
	switch {
	case got != public:
		c.markValue(got, c.words[j].start, c.words[j].end)
	case isAccount(name):
		accountMarker{c}.markAccount(j)
	case strings.HasSuffix(name, "cmd") || strings.HasSuffix(name, "command") || strings.HasSuffix(name, "eval"):
		c.markPrinted(name, j)
	case isStoredValue(name) && c.mentionsSecret(i):
		c.markPart(bare, c.words[j].start, c.words[j].end)
	}
}

// markPrinted masks what the command in word j prints, if the option called name has it print a secret.
func (c *command) markPrinted(name string, j int) {
	if c.scrubber.strength(name[:max(strings.LastIndexAny(name, "-_"), strings.LastIndex(name, "eval"), 0)]) == public {
		return
	}
	if text := c.at(c.words[j]); strings.HasPrefix(text, "echo ") {
		c.markValue(certain, c.words[j].start+len("echo "), c.words[j].end)
	}
}

// isStoredValue reports whether an option holds what is stored in a store of secrets.
func isStoredValue(name string) bool {
	switch name {
	case "value", "data", "body", "string-value", "literal", "plaintext":
		return true
	}
	return false
}

// mentionsSecret reports whether one of the first words of the command says that it is about secrets.
func (c *command) mentionsSecret(i int) bool {
	for _, w := range c.words[c.start:min(i, c.start+maxSubcommand)] {
		text, _, _ := strings.Cut(c.at(w), ":")
		if text == "secrets" || text == "keys" || !strings.ContainsAny(text, "=/. ") && c.scrubber.strength(text) >= likely {
			return true
		}
	}
	return false
}
