package projector

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// soak asks for the long campaigns (make soak).
var soak = os.Getenv("PROCTAPE_SOAK") == "1"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
