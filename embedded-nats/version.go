package embeddednats

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
)

// MinServerVersion is the oldest nats-server that keeps a log: an older one has no schedules and cannot reset consumers.
const MinServerVersion = "2.14"

// CheckServerVersion returns an error when a connection's server is older than [MinServerVersion]. It asks nothing of the
// server: a server says its version when a client connects.
func CheckServerVersion(nc *nats.Conn) error {
	have := nc.ConnectedServerVersion()
	major, minor, ok := majorMinor(have)
	if !ok || major < 2 || major == 2 && minor < 14 {
		return fmt.Errorf("the server at %s is nats-server %s: proctape needs %s or later", nc.ConnectedUrlRedacted(), have, MinServerVersion)
	}
	return nil
}

func majorMinor(version string) (major, minor int, ok bool) {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(parts) < 2 {
		return 0, 0, false
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	return major, minor, err1 == nil && err2 == nil
}
