package scrub

// values finds and masks the value of one assignment.
type values struct {
	*assigner
	assignment assignment
}

// isVariable reports whether the value is a shell variable in a script.
func (v values) isVariable(start, end int, quote string) bool {
	return v.spaces && quote != "'" && end-start > 1 && v.text[start] == '$' && isShellName(v.text[start+1:end])
}
