package embeddednats

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema/trouble"
)

// streamWatch notices that streams or their files vanish under a running server.
type streamWatch struct {
	server *Server
	// newest is the highest number of a file of messages that each stream had. It never falls: the server gives the next file
	// the next number.
	newest map[string]uint32
}

// forget forgets what the files were before a restart.
func (w *streamWatch) forget() { clear(w.newest) }

// vanished makes streams again that are gone from the server, and says why the server must be restarted because its files are
// gone while it still has them open: it would go on writing into nothing. Empty when all is there.
func (w *streamWatch) vanished(ctx context.Context) string {
	for _, cfg := range w.server.cfg.Streams {
		d := streamDir{cfg.Name, filepath.Join(streamsDir(w.server.cfg.Dir), cfg.Name)}
		if _, err := os.Stat(filepath.Join(d.path, metaName)); errors.Is(err, os.ErrNotExist) {
			delete(w.newest, d.name)
			if w.makeAgain(ctx, d.name) {
				continue
			}
			return fmt.Sprintf("the folder of stream %s is gone", d.name)
		}
		files, err := d.blocks()
		if err != nil {
			continue // what it is, the server's health says
		}
		if len(files) == 0 || files[len(files)-1].number < w.newest[d.name] {
			return fmt.Sprintf("files of stream %s are gone", d.name)
		}
		w.newest[d.name] = files[len(files)-1].number
	}
	return ""
}

// makeAgain makes a stream that the server does not have. It reports whether the server has it now in order.
func (w *streamWatch) makeAgain(ctx context.Context, name string) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	js, err := jetstream.New(w.server.own)
	if err != nil {
		return false
	}
	if _, err = js.Stream(ctx, name); !errors.Is(err, jetstream.ErrStreamNotFound) {
		return false
	}
	report := w.server.cfg.Trouble
	report.Begin(reporting, trouble.Trouble{Kind: trouble.StreamGone, About: name, Reason: "it was deleted, and is made again"})
	if err := w.server.declareStreams(ctx); err != nil {
		report.Begin(reporting, trouble.Trouble{Kind: trouble.StreamGone, About: name, Reason: "it was deleted, and cannot be made again: " + err.Error()})
		return false
	}
	report.End(reporting, trouble.StreamGone, name, "what the stream held, as far as no database has it")
	return true
}
