package main

import (
	"fmt"
	"io"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/proctape/proctape/projector"
)

// replayProgress shows how far a replay is: a bar on a terminal, a line every five seconds elsewhere. finish ends the bar.
func replayProgress(w io.Writer) (show func(projector.ReplayProgress), finish func()) {
	if isTerminal(w) {
		return progressBar(w)
	}
	return progressLines(w)
}

// progressBar draws a bar from the first call of show on.
func progressBar(w io.Writer) (show func(projector.ReplayProgress), finish func()) {
	var bars *mpb.Progress
	var bar *mpb.Bar
	return func(p projector.ReplayProgress) {
			if bars == nil {
				bars = mpb.New(mpb.WithOutput(screen(w)), mpb.WithWidth(60))
				bar = bars.AddBar(0, mpb.PrependDecorators(decor.Name("replay "), decor.CountersNoUnit("%d of %d messages")),
					mpb.AppendDecorators(decor.Percentage(), decor.Name(" "), decor.AverageSpeed(0, "%.0f/s"), decor.Name(", left "), decor.AverageETA(decor.ET_STYLE_GO)))
			}
			bar.SetTotal(p.All, false)
			bar.SetCurrent(p.Projected)
		}, func() {
			if bars != nil {
				bar.SetTotal(-1, true)
				bars.Wait()
			}
		}
}

// progressLines writes a line every five seconds.
func progressLines(w io.Writer) (show func(projector.ReplayProgress), finish func()) {
	began, last := time.Now(), time.Now()
	return func(p projector.ReplayProgress) {
		if time.Since(last) < 5*time.Second || p.Projected == 0 {
			return
		}
		last = time.Now()
		rate := float64(p.Projected) / time.Since(began).Seconds()
		left := time.Duration(float64(p.All-p.Projected) / rate * float64(time.Second))
		fmt.Fprintf(w, "proctape: replay: %d of %d messages, %d%%, %.0f/s, left %s\n", p.Projected, p.All, 100*p.Projected/p.All, rate, left.Round(time.Second))
	}, func() {}
}

// exportBar draws how much of a range was exported; without a beginning, from the first time that is shown.
func exportBar(w io.Writer, since, until float64) (show func(at float64), finish func()) {
	bars := mpb.New(mpb.WithOutput(screen(w)), mpb.WithWidth(60))
	const steps = 10_000
	bar := bars.AddBar(steps, mpb.PrependDecorators(decor.Name("export ")), mpb.AppendDecorators(decor.Percentage(), decor.Name(", left "), decor.AverageETA(decor.ET_STYLE_GO)))
	return func(at float64) {
			if since == 0 {
				since = at
			}
			if until > since {
				bar.SetCurrent(min(int64(steps*(at-since)/(until-since)), steps-1))
			}
		}, func() {
			bar.SetTotal(-1, true)
			bars.Wait()
		}
}
