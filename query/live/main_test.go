package live_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/proctape/proctape/embedded-nats/logtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, logtest.Singletons()...)
}
