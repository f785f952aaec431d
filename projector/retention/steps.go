package retention

import (
	"context"
	"errors"
	"fmt"
)

// takeAway takes away what is too old, step by step: what leaves full resolution is rolled up, the rollups are folded, and
// only then it goes; the log is trimmed by what all its databases have. A step that fails does not keep the others from their work:
// each looks at what is in the tables, whoever put it there.
func takeAway(ctx context.Context, p *pass) error {
	if err := (&hosts{p}).readAges(ctx); err != nil {
		return err
	}
	if err := p.writer.catchUp(ctx); err != nil {
		return err
	}
	condenser, expirer := &condenser{p, &roller{p}}, &expirer{p}
	space, trimmer := &space{p, condenser, expirer}, &trimmer{p}
	var failed []error
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"roll up snapshots", condenser.run},
		{"make hours of minutes", (&hours{p}).run},
		{"delete events", expirer.expireEvents},
		{"delete lives", (&lives{p}).run},
		{"delete rollups", expirer.expireRollups},
		{"delete processes and jobs", expirer.expireAggregates},
		{"keep below the cap", space.enforceMaxBytes},
		{"trim the log", trimmer.run},
		{"give back space", space.vacuum},
	} {
		if err := step.do(ctx); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", step.what, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}
