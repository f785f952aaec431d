package retention

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// setMaxAge gives a stream the longest policy of the databases that read it, and some time more, whoever started last. A
// stream that proctape did not make keeps its age.
func setMaxAge(ctx context.Context, p *pass, stream jetstream.Stream) error {
	cfg := stream.CachedInfo().Config
	if p.writer.dry || !schema.IsOurs(cfg) {
		return nil
	}
	want := schema.MaxAge(p.settings.Policy.Keeps(cfg.Name))
	list := stream.ListConsumers(ctx)
	for info := range list.Info() {
		if !strings.HasPrefix(info.Name, schema.ConsumerName("")) {
			continue
		}
		if keeps, ok := schema.KeptBy(info.Config); ok {
			want = longer(want, schema.MaxAge(keeps))
		} else { // an older database, or one that keeps all: nobody knows what is too short for it
			want = longer(want, cfg.MaxAge)
		}
	}
	if err := list.Err(); err != nil || want == cfg.MaxAge {
		return err
	}
	p.log.Info("the stream's age follows the longest policy of its databases", "stream", cfg.Name, "from", cfg.MaxAge, "to", want)
	cfg.MaxAge = want
	if _, err := p.js.UpdateStream(ctx, cfg); err != nil {
		return fmt.Errorf("give it the longest policy of its databases: %w", err)
	}
	return nil
}

// longer is the longer of two ages of a stream, of which 0 is no limit.
func longer(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return 0
	}
	return max(a, b)
}
