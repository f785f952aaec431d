package scrub

import "strings"

// maxDepth is how many scripts within scripts are read.
const maxDepth = 4

// markCommand masks secrets in the options and arguments of the commands that words make up, and in the
// scripts and statements among those words.
func (l *line) markCommand(words []word, depth int) {
	c := command{line: l, words: words, depth: depth, verb: -maxVerb, printing: -1}
	for i, w := range words {
		if depth < maxDepth && hasSpace(l.at(w)) {
			var inner [32]word
			l.markCommand(split(inner[:0], l.text, w.start, w.end), depth+1)
		}
		c.step(i)
	}
}

// step examines word i.
func (c *command) step(i int) {
	w := c.words[i]
	text := c.at(w)
	if w.first {
		c.startCommand(i)
	}
	if text == "" {
		return
	}
	if c.findingProgram {
		c.findProgram(i, text)
	}
	if c.tool != nil {
		(optionMarker{c}).markPositions(i, text)
	}
	if (optionMarker{c}).markToolOption(i, text) {
		return
	}
	if c.tool != nil && c.tool.edits {
		settingMarker{c}.markReplacement(w)
	}
	switch {
	case c.depth > 0 && c.markRecord(i):
	case strings.IndexByte(text, '@') > 0:
		c.markLogin(w)
	case isBasicWord(text):
		c.mark(w.start, w.end)
	}
	if c.depth == 0 {
		(&assigner{line: c.line, word: w, script: c.isScript(i), header: c.isHeader(i)}).markAssignments()
		c.markInner(w)
	}
	switch {
	case text[0] == '-' || text[0] == '/' || c.scrubber.isConsoleOption(text) || c.depth > 0 && strings.Contains(text, "=--"):
		c.markOption(i, text)
	case w.quote != 0 && c.depth > 0:
		c.markStatement(i)
	case text == "<<<":
		inputMarker{c}.markHereString(i)
	case isVerb(text):
		settingMarker{c}.startSetting(i)
	case text == "login" && i == c.start+1 && c.tool == nil:
		accountMarker{c}.markPositions(i)
	default:
		settingMarker{c}.markSetting(i, text)
	}
	if text == "--" || text == "-exec" {
		c.findingProgram, c.skip = true, 0
	}
}

// isConsoleOption reports whether text names a secret as the servers of games take it: +rcon_password VALUE.
func (s *Scrubber) isConsoleOption(text string) bool {
	return text[0] == '+' && len(text) <= maxKey && s.strength(text[1:]) >= turn
}

// isScript reports whether argument i is for a shell, or is the title a program wrote over its arguments.
func (c *command) isScript(i int) bool {
	if i == 0 {
		return true
	}
	before := c.at(c.words[i-1])
	return len(before) > 1 && before[0] == '-' && before[1] != '-' && before[len(before)-1] == 'c'
}

// isHeader reports whether argument i is an HTTP header.
func (c *command) isHeader(i int) bool {
	if i == 0 {
		return false
	}
	before := c.at(c.words[i-1])
	return before == "-H" || strings.HasPrefix(before, "-") && strings.HasSuffix(before, "header")
}

// startCommand starts a command at word i. If it reads the output of an echo, that is kept for markEcho.
func (c *command) startCommand(i int) {
	inputMarker{c}.keepOutput(i)
	c.start, c.tool, c.findingProgram, c.skip, c.pass, c.verb = i, nil, true, 0, -1, -maxVerb
}

// findProgram decides whether word i is the program.
func (c *command) findProgram(i int, text string) {
	via := c.tool
	switch {
	case i == c.pass, isEnvironment(text), text == "--":
		return
	case text[0] == '-' && i > c.start:
		if via != nil && strings.IndexByte(via.takes, text[len(text)-1]) >= 0 && len(text) > 1 && text[1] != '-' {
			c.pass = i + 1
		}
		return
	case c.skip > 0:
		c.skip--
		return
	}
	found := toolNamed(programName(text))
	if via != nil && via.search && (found == nil || text == "exec") {
		return
	}
	c.start, c.tool, c.findingProgram = i, found, false
	if found != nil {
		c.findingProgram, c.skip = found.runs, found.skip
	}
	inputMarker{c}.markFor(programName(text))
}

// isEnvironment reports whether text reads NAME=value, as in front of a command.
func isEnvironment(text string) bool {
	for i := range len(text) {
		if c := text[i]; c == '=' {
			return i > 0
		} else if !isAlnum(c) && c != '_' {
			return false
		}
	}
	return false
}

// markStatement masks the quoted word i if it is the password of an SQL statement.
func (c *command) markStatement(i int) {
	if i == 0 || c.words[i].first {
		return
	}
	switch strings.ToLower(c.at(c.words[i-1])) {
	case "by", "as":
		if !c.mentions(i-1, "identified") {
			return
		}
	case "password", "secret":
	default:
		return
	}
	c.markValue(certain, c.words[i].start, c.words[i].end)
}

// mentions reports whether one of the four words before i is word.
func (c *command) mentions(i int, word string) bool {
	for j := max(0, i-4); j < i; j++ {
		if strings.EqualFold(c.at(c.words[j]), word) {
			return true
		}
	}
	return false
}

// markInner reads the quoted texts in w that are members of a list or an object as commands, if they begin with a
// program that is known.
func (c *command) markInner(w word) {
	for i := w.start + 2; i < w.end; i++ {
		if b := c.text[i]; b != '"' && b != '\'' {
			continue
		}
		k := i - 1
		if c.text[k] == ' ' {
			k--
		}
		if strings.IndexByte(":[,", c.text[k]) < 0 {
			continue
		}
		end := i + 1 + endOr(strings.IndexByte(c.text[i+1:w.end], c.text[i]), 0)
		if program, _, ok := strings.Cut(c.text[i+1:end], " "); ok && toolNamed(programName(program)) != nil {
			var inner [32]word
			c.line.markCommand(split(inner[:0], c.text, i+1, end), c.depth+1)
		}
	}
}
