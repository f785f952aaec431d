package embeddednats

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// logger passes the server's log lines on. The server reports that it cannot start by Fatalf alone, and then returns as if
// all were well; so a fatal line is passed to the one who starts it too.
type logger struct {
	log     *slog.Logger
	fatal   chan string
	clients clientLines
}

func newLogger(log *slog.Logger) *logger {
	return &logger{log: log.With("component", "nats-server"), fatal: make(chan string, 1)}
}

// The server's notices are of interest to those who run servers, not to those who run a recorder.
func (l *logger) Noticef(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l *logger) Debugf(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l *logger) Tracef(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }

// untold is what the server says that others say better: several lines of one write that failed, which the healer says once, with the reason,
// the state of two files that sweep takes away at every start, and readers
// of a stream that was made again, which the projector says.
var untold = []string{
	"ritical write error", "failed to store a msg on stream", "error creating store for consumer",
	"state is outdated; attempting to recover using linear scan", "past last stream sequence of",
}

func (l *logger) Errorf(format string, v ...any) { l.tell(slog.LevelError, fmt.Sprintf(format, v...)) }
func (l *logger) Warnf(format string, v ...any)  { l.tell(slog.LevelWarn, fmt.Sprintf(format, v...)) }

func (l *logger) tell(level slog.Level, text string) {
	if slices.ContainsFunc(untold, func(words string) bool { return strings.Contains(text, words) }) {
		level = slog.LevelDebug
	}
	if pass, about := l.clients.take(text, time.Now()); pass {
		l.log.Log(context.Background(), level, text, about...)
	}
}

func (l *logger) Fatalf(format string, v ...any) {
	select {
	case l.fatal <- fmt.Sprintf(format, v...):
	default: // the first reason is the one that matters
	}
}
