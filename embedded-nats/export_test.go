package embeddednats

// UnhealthyReason is what Run asks every second.
func (s *Server) UnhealthyReason() string { return s.unhealthyReason() }

// UnhealthyOfAnyAccount is what Run would be told if it asked for every account that the server thinks there is.
func (s *Server) UnhealthyOfAnyAccount() bool {
	status := s.ns.Load().Healthz(nil)
	return status == nil || status.StatusCode >= 300
}
