//go:build race

package integration_test

// With these a program is built with the race detector, which these tests have too: all of it but SQLite, which is translated C.
var (
	raceFlags = []string{"-race", "-gcflags=modernc.org/sqlite/lib=-race=false"}
	raceEnv   = "CGO_ENABLED=1"
)
