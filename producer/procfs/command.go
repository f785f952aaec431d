package procfs

// readCommand reads e's command line, and its environment if that is asked for, and closes the request's directory.
// When that takes too long the answer is adopted by the scan that finds it. When too many reads are stuck, it is due.
func (fs *valueReader) readCommand(e *entry, request slowRequest) {
	answer, late, ok := fs.slow.read(request)
	e.lateAnswer, e.argsDue = late, !ok && late == nil
	if ok {
		e.applyAnswer(answer)
	}
}

// applyLateAnswer takes over the answer of a read that took too long, if it has come.
func (e *entry) applyLateAnswer() {
	select {
	case answer := <-e.lateAnswer:
		e.lateAnswer = nil
		e.applyAnswer(answer)
	default:
	}
}

// applyAnswer takes over what was read of the command line and environment. A command line reads empty while the process
// executes another program, and once it has ended; what was known before then stays.
func (e *entry) applyAnswer(answer slowAnswer) {
	p := &e.process
	if len(answer.args) > 0 {
		p.Args, p.ArgsTruncated, p.ArgsKnown = answer.args, answer.truncated, true
	}
	e.argsDue = answer.argsErr == nil && len(answer.args) == 0
	if answer.env != nil {
		p.Env, p.EnvUID = answer.env, answer.envUID
	}
}

// markCommandUnread drops the command line and environment of the program that the process ran before.
func (e *entry) markCommandUnread() {
	p := &e.process
	p.Args, p.ArgsTruncated, p.ArgsKnown = nil, false, p.Kernel
	p.Env, p.EnvUID = nil, 0
	e.lateAnswer, e.argsDue = nil, false
}
