//go:build !race

package integration_test

// With these a program is built without the race detector, which these tests do not have either.
var (
	raceFlags []string
	raceEnv   = "CGO_ENABLED=0"
)
