package main

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestWatchdogTime(t *testing.T) {
	for _, c := range []struct {
		usec, pid string
		want      time.Duration
	}{
		{"3000000", "", 3 * time.Second}, {"3000000", "42", 3 * time.Second}, {"3000000", "43", 0},
		{"", "", 0}, {"0", "", 0}, {"-5", "", 0}, {"soon", "", 0}, {"9223372036854775807", "", 0},
	} {
		env := map[string]string{"WATCHDOG_USEC": c.usec, "WATCHDOG_PID": c.pid}
		if got := watchdogTime(func(name string) string { return env[name] }, 42); got != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
	}
}

// The manager is told that all goes on exactly as long as each part does.
func TestWatchdog_EachPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := 0
		var log strings.Builder
		d := &watchdog{timeout: 30 * time.Second, began: time.Now(), notify: func(lines ...string) { told++ }, log: slog.New(slog.NewTextHandler(&log, nil))}
		beats := []func(){d.part("one", 0), d.part("two", time.Minute)}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			_ = d.run(ctx)
			close(ended)
		}()
		goOn := func(parts []func(), seconds int) (words int) {
			synctest.Wait()
			before := told
			for range seconds {
				time.Sleep(time.Second)
				for _, beat := range parts {
					beat()
				}
			}
			synctest.Wait()
			return told - before
		}
		if got := goOn(beats, 60); got < 6 {
			t.Errorf("both go on: %d words in a minute, want one each 10 s", got)
		}
		if got := goOn(beats[:1], 60); got < 5 {
			t.Errorf("the second says nothing for less than its patience of 90 s: %d words", got)
		}
		goOn(beats[:1], 31)
		if got := goOn(beats[:1], 60); got != 0 || !strings.Contains(log.String(), "part=two") {
			t.Errorf("the second is stuck: %d words, and the log\n%s", got, &log)
		}
		if got := goOn(beats, 60); got < 5 || !strings.Contains(log.String(), "it goes on") {
			t.Errorf("both go on again: %d words, and the log\n%s", got, &log)
		}
		goOn(beats[1:], 41)
		if got := goOn(beats[1:], 60); got != 0 || strings.Count(log.String(), "makes no progress") != 2 {
			t.Errorf("the first is stuck: %d words, and the log\n%s", got, &log)
		}
		cancel()
		<-ended
	})
}
