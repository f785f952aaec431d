package live_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// The server's own singletons live as long as the process.
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server.(*ipQueue[...]).unregister"),
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.init.2.func1"))
}
