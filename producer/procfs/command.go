package procfs

// readCommand reads e's command line, and its environment if that is asked for, and closes the request's directory.
// When the read is stuck, the command line is unknown until it returns. When too many others are, it is due.
func (fs *FS) readCommand(e *entry, request slowRequest) {
	answer, late, ok := fs.slow.read(request)
	e.late, e.argsDue = late, late == nil && !ok
	if !ok {
		e.process.Args, e.process.ArgsTruncated, e.process.ArgsKnown = nil, false, false
		return
	}
	e.adopt(answer, len(request.envKeys) > 0)
}

// adoptLate takes over the answer of a read that was stuck, if it has come.
func (e *entry) adoptLate() {
	if e.late == nil {
		return
	}
	select {
	case answer := <-e.late:
		e.late = nil
		e.adopt(answer, answer.env != nil)
	default:
	}
}

// adopt takes over what was read of the command line and, if it was asked for, of the environment.
func (e *entry) adopt(answer slowAnswer, env bool) {
	p := &e.process
	p.Args, p.ArgsTruncated, p.ArgsKnown = answer.args, answer.truncated, answer.argsErr == nil
	if env {
		p.Env = answer.env
	}
}
