package verify_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/verify"
	"github.com/proctape/proctape/schema"
)

// A database is compared with its log, which is projected again for that.
func ExampleCompare() {
	ctx, quiet := context.Background(), slog.New(slog.DiscardHandler)
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	a, err := embeddednats.Attach(ctx, embeddednats.Config{Dir: dir, Log: quiet}, true)
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
	msg := nats.NewMsg("")
	msg.Subject, msg.Data, err = schema.EncodeMsg(&schema.Message{
		Envelope: schema.Envelope{Version: schema.Version, Kind: schema.KindSnapshot, Host: "build-07", BootID: "boot-1", Instance: schema.NewInstance(),
			Seq: 1, Produced: 1, Wall: 1795403400e9, Boot: 1000e9},
		Snapshot: &schema.Snapshot{PressureLevel: "none", Processes: schema.ProcessesOf(schema.Process{PID: 1, State: "S"}, schema.Process{PID: 42, State: "R"})},
	}, msg.Header)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := js.PublishMsg(ctx, msg); err != nil {
		log.Fatal(err)
	}
	path := filepath.Join(dir, "monitor.db")
	if err := (exampleLog{js}).Replay(ctx, path, nil); err != nil {
		log.Fatal(err)
	}

	r, err := verify.Compare(ctx, verify.Config{Database: path, Log: exampleLog{js}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("damage: %d, samples: %d, %s to %s\n", len(r.Damage), r.Tables["samples"].Rows, r.Verdict, r.Against)
	// Output: damage: 0, samples: 2, equal to the log
}

// exampleLog is a log as verify reads it.
type exampleLog struct{ js jetstream.JetStream }

func (l exampleLog) Streams(ctx context.Context) (map[string]*query.LogStream, error) {
	return query.LogStreams(ctx, l.js)
}

func (l exampleLog) Replay(ctx context.Context, path string, until map[string]uint64) error {
	_, err := projector.Replay(ctx, l.js, projector.ReplayConfig{DB: path, UntilSequence: until, LackStreams: true, Log: slog.New(slog.DiscardHandler)})
	return err
}
