package scrub

// A command is where markCommand stands: in which program's arguments, or on the way to it.
type command struct {
	*line
	words          []word
	depth          int
	start          int   // the program's place in words
	tool           *tool // what is known of the program, nil for nothing
	findingProgram bool  // a program may come: at the start, and behind programs that run others
	skip           int   // how many plain words come before it
	pass           int   // a word that is the value of an option of such a program
	printing       int   // the first of the commands before that print something, if all from there do, or -1
	output         span  // the words of those that print into this one
	verb           int   // the last word that a name and a value may follow
}

// next returns the place of the value of the option at word i, or -1 when another option or command follows.
func (c *command) next(i int) int {
	i++
	if i >= len(c.words) || c.words[i].first {
		return -1
	}
	v := c.at(c.words[i])
	if len(v) > 1 && v[0] == '-' && (len(v) < 12 || v[1] == '-' || !isRandom(v)) {
		return -1
	}
	return i
}

// isVariable reports whether word i of a script is a shell variable.
func (c *command) isVariable(i int) bool {
	v := c.at(c.words[i])
	return c.depth > 0 && c.words[i].quote != '\'' && len(v) > 1 && v[0] == '$' && isShellName(v[1:])
}
