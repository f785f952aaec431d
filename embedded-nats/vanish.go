package embeddednats

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// newestFiles is the highest number of a file of messages that each stream had. It never falls: the server gives the next file
// the next number.
type newestFiles map[string]uint32

func (f newestFiles) forget() { clear(f) }

// vanished makes streams again that are gone from the server, and says why the server must be restarted because its files are
// gone while it still has them open: it would go on writing into nothing. Empty when all is there.
func (s *Server) vanished(ctx context.Context, newest newestFiles) string {
	for _, cfg := range s.cfg.Streams {
		d := streamDir{cfg.Name, filepath.Join(streamsDir(s.cfg.Dir), cfg.Name)}
		if _, err := os.Stat(filepath.Join(d.path, metaName)); errors.Is(err, os.ErrNotExist) {
			delete(newest, d.name)
			if s.makeAgain(ctx, d.name) {
				continue
			}
			return fmt.Sprintf("the folder of stream %s is gone", d.name)
		}
		files, err := d.blocks()
		if err != nil {
			continue // what it is, the server's health says
		}
		last := uint32(0)
		if len(files) > 0 {
			last = files[len(files)-1].number
		}
		if last < newest[d.name] {
			return fmt.Sprintf("files of stream %s are gone", d.name)
		}
		newest[d.name] = last
	}
	return ""
}

// makeAgain makes a stream that the server does not have. It reports whether the server has it now in order.
func (s *Server) makeAgain(ctx context.Context, name string) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	js, err := jetstream.New(s.own)
	if err != nil {
		return false
	}
	if _, err = js.Stream(ctx, name); !errors.Is(err, jetstream.ErrStreamNotFound) {
		return false
	}
	if err := s.declareStreams(ctx); err != nil {
		s.cfg.Log.Error("a stream of the log was deleted and cannot be made again", "stream", name, "err", err)
		return false
	}
	s.cfg.Log.Warn("a stream of the log was deleted and is made again; what it held is lost", "stream", name)
	return true
}
