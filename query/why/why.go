// Package why tells what became of a process: of whom it was born, what it executed, how it grew, what it died of and what its death
// took with it, in one story, which also says what of that is not known.
package why

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/proctape/proctape/query"
)

// ErrNoProcess is returned for a process of which nothing is recorded.
var ErrNoProcess = errors.New("no such process")

// Process tells the story of the process that an identity names. Of several it tells of the one that lived at a time, in Unix seconds;
// with 0, of the one that was seen last. It returns [ErrNoProcess] when there is none.
func Process(ctx context.Context, db *query.DB, of query.Identity, at float64) (*Story, error) {
	lives, err := query.Lives(ctx, db, of)
	if err != nil {
		return nil, err
	}
	others := len(lives) - 1
	if at > 0 {
		lives = slices.DeleteFunc(lives, func(l query.Life) bool { return at < l.First || at > l.Last })
	}
	if len(lives) == 0 {
		return nil, ErrNoProcess
	}
	e, err := gather(ctx, db, lives[0])
	if err != nil {
		return nil, fmt.Errorf("tell of process %d: %w", of.PID, err)
	}
	s := e.tell()
	s.Others = others
	return s, nil
}

// Event tells the story of the process that an event, by its row id, is of. It returns [ErrNoProcess] when there is no such event.
func Event(ctx context.Context, db *query.DB, id int64) (*Story, error) {
	event, err := query.EventOf(ctx, db, id)
	if err != nil {
		return nil, err
	}
	if event == nil {
		return nil, ErrNoProcess
	}
	return Process(ctx, db, query.Identity{Host: event.Host, PID: event.PID, StartTicks: &event.StartTicks}, event.Timestamp)
}
