package lifecycle

// SetMax sets how many pidfds p may hold.
func (p *Pidfd) SetMax(n int) { p.limit = n }

// Held is how many pidfds p holds.
func (p *Pidfd) Held() int { return p.held }

// ExitInfo is exitInfo.
func ExitInfo(pidfd int) (known bool) {
	_, known = exitInfo(pidfd)
	return known
}
