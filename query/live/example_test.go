package live_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/live"
	"github.com/proctape/proctape/schema"
)

// Follow delivers what the log has, and then what comes. The example publishes the second snapshot when it has got the
// first, and stops when it has got both. A program that only reads attaches to a recorder's data folder with
// embeddednats.Connect.
func ExampleFollow() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	a, err := embeddednats.Attach(ctx, embeddednats.Config{Dir: dir, Log: slog.New(slog.DiscardHandler)}, true)
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	js, err := jetstream.New(a.Conn)
	if err != nil {
		log.Fatal(err)
	}
	if err := embeddednats.Declare(ctx, js, schema.Streams(schema.Policy{}, 1), true); err != nil {
		log.Fatal(err)
	}

	instance := schema.NewInstance()
	publish := func(n uint64) error {
		m := &schema.Message{Envelope: schema.Envelope{Version: schema.Version, Kind: schema.KindSnapshot, Host: "build-07", BootID: "boot-1",
			Instance: instance, Seq: n, Wall: time.Now().UnixNano(), Boot: int64(n) * 1e9, Produced: n},
			Snapshot: &schema.Snapshot{PressureLevel: "none", Load: [3]int64{100 * int64(n), 0, 0}}}
		msg := nats.NewMsg("")
		if msg.Subject, msg.Data, err = schema.EncodeMsg(m, msg.Header); err != nil {
			return err
		}
		_, err := js.PublishMsg(ctx, msg)
		return err
	}
	if err := publish(1); err != nil {
		log.Fatal(err)
	}

	filter := live.Filter{Stream: schema.StreamSnapshots, Since: time.Now().Add(-time.Hour)}
	err = live.Follow(ctx, js, filter, func(m *schema.Message, _ uint64) error {
		s := query.SnapshotFromMessage(m)
		fmt.Printf("%s: load %.2f\n", s.Host, s.Load1)
		if m.Seq == 2 {
			stop()
			return nil
		}
		return publish(2)
	}, func(subject string, err error) { log.Printf("skipped a message on %s: %v", subject, err) })
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// build-07: load 1.00
	// build-07: load 2.00
}
