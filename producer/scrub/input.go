package scrub

import "strings"

// inputMarker masks what a command reads: the output of the one before, or a here-string.
type inputMarker struct{ *command }

// keepOutput keeps what the commands before word i print into the one that starts there.
func (c inputMarker) keepOutput(i int) {
	if i == 0 {
		return
	}
	switch programName(c.at(c.words[c.start])) {
	case "echo", "printf", "yes":
		if c.printing < 0 {
			c.printing = c.start
		}
	case "}": // the end of a group
	default:
		c.printing = -1
	}
	c.output = span{}
	if c.words[i].piped && c.printing >= 0 {
		c.output, c.printing = span{c.printing, i}, -1
	}
}

// markFor masks the output of the command before, if program reads a secret from it.
func (c inputMarker) markFor(program string) {
	if c.output.end == 0 {
		return
	}
	switch program {
	case "chpasswd":
		c.markEcho(afterColon)
	case "passwd", "kinit", "smbpasswd", "cryptsetup", "vncpasswd", "htpasswd", "gocryptfs", "docker-credential-pass", "ldappasswd", "kpasswd", "su":
		c.markEcho(whole)
	}
}

// markForOption masks the output of the command before, if the option at word i has a secret read from it.
func (c inputMarker) markForOption(i int, text string) {
	if c.output.end == 0 {
		return
	}
	program := programName(c.at(c.words[c.start]))
	switch {
	case strings.HasSuffix(text, "stdin"), text == "--with-token", text == "-S" && c.depth > 0, text == "--passphrase-fd",
		text == "-" && (program == "vault" || program == "bao"),
		text == "-pass" && i+1 < len(c.words) && c.at(c.words[i+1]) == "stdin":
		c.markEcho(whole)
	}
}

// markEcho masks what the command before printed into this one.
func (c inputMarker) markEcho(p part) {
	for _, w := range c.words[c.output.start:c.output.end] {
		if v := c.at(w); v != "" && !w.first && v[0] != '-' && v[0] != '%' && v[0] != '$' && !strings.Contains(v, "%s") {
			c.markPart(p, w.start, w.end)
		}
	}
	c.output = span{}
}

// markHereString masks the word behind the "<<<" at word i, if the command reads a secret from it.
func (c inputMarker) markHereString(i int) {
	if i+1 >= len(c.words) {
		return
	}
	for _, w := range c.words[c.start:i] {
		text := c.at(w)
		if strings.HasSuffix(text, "stdin") || text == "passwd" || c.scrubber.strength(strings.TrimLeft(text, "-")) >= likely {
			c.markValue(certain, c.words[i+1].start, c.words[i+1].end)
			return
		}
	}
}
