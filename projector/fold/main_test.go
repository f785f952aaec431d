package fold

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

const second = int64(time.Second)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
