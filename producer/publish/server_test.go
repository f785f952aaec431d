package publish

import (
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/proctape/proctape/embedded-nats/logtest"
)

// testTimeout is how long a test waits for what must happen, on a machine that may be busy with other work.
const testTimeout = 5 * time.Minute

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, logtest.Singletons()...)
}

func logTo(t testing.TB) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

// withoutIDs is a log to which messages go without their ids.
type withoutIDs struct{ jetstream.JetStream }

func (w withoutIDs) PublishMsgAsync(msg *nats.Msg, opts ...jetstream.PublishOpt) (jetstream.PubAckFuture, error) {
	header := nats.Header{}
	for name, values := range msg.Header {
		if name != nats.MsgIdHdr {
			header[name] = values
		}
	}
	return w.JetStream.PublishMsgAsync(&nats.Msg{Subject: msg.Subject, Header: header, Data: msg.Data}, opts...)
}

// streamSize is how many messages a stream has.
func streamSize(t *testing.T, nc *nats.Conn, stream string) uint64 {
	t.Helper()
	return logtest.Stream(t, nc, stream).CachedInfo().State.Msgs
}
