package embeddednats

import (
	"fmt"
	"log/slog"
	"strings"
)

// logger passes the server's log lines on. The server reports that it cannot start by Fatalf alone, and then returns as if
// all were well; so a fatal line is passed to the one who starts it too.
type logger struct {
	log   *slog.Logger
	fatal chan string
}

func newLogger(log *slog.Logger) *logger {
	return &logger{log: log.With("component", "nats-server"), fatal: make(chan string, 1)}
}

// The server's notices are of interest to those who run servers, not to those who run a recorder.
func (l *logger) Noticef(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l *logger) Errorf(format string, v ...any)  { l.log.Error(fmt.Sprintf(format, v...)) }
func (l *logger) Debugf(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l *logger) Tracef(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }

// sweptState is in what the server says of two files that sweep takes away at every start.
const sweptState = "state is outdated; attempting to recover using linear scan"

func (l *logger) Warnf(format string, v ...any) {
	if text := fmt.Sprintf(format, v...); strings.Contains(text, sweptState) {
		l.log.Debug(text)
	} else {
		l.log.Warn(text)
	}
}

func (l *logger) Fatalf(format string, v ...any) {
	select {
	case l.fatal <- fmt.Sprintf(format, v...):
	default: // the first reason is the one that matters
	}
}
