package top

import (
	"fmt"
	"math"
	"time"
)

// What stands for a figure that is not known, and for one that does not apply. Neither is ever zero.
const (
	unknownFigure = "?"
	noFigure      = "·"
)

// percentText shows a share of one core, in percent, in five cells.
func percentText(v float64) string {
	if v < 999.95 {
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// sizeText shows a size in MiB in five cells: three digits and a unit, by 1024.
func sizeText(mib float64) string {
	v, unit := mib*1024, 0
	if v == 0 {
		return "0"
	}
	for v >= 999.5 && unit < len(sizeUnits)-1 {
		v, unit = v/1024, unit+1
	}
	switch {
	case v < 9.995 && v != math.Trunc(v):
		return fmt.Sprintf("%.2f%c", v, sizeUnits[unit])
	case v < 99.95 && v != math.Trunc(v):
		return fmt.Sprintf("%.1f%c", v, sizeUnits[unit])
	}
	return fmt.Sprintf("%.0f%c", v, sizeUnits[unit])
}

const sizeUnits = "KMGTPE"

// countText shows a count in six cells.
func countText(v float64) string {
	units := []string{"", "k", "M", "G", "T", "P"}
	unit := 0
	for v >= 99999.5 && unit < len(units)-1 {
		v, unit = v/1000, unit+1
	}
	if unit == 0 || v >= 99.95 {
		return fmt.Sprintf("%.0f%s", v, units[unit])
	}
	return fmt.Sprintf("%.1f%s", v, units[unit])
}

// spanText shows a span of seconds in six cells.
func spanText(s float64) string {
	switch {
	case s < 9.995:
		return fmt.Sprintf("%.2fs", s)
	case s < 59.5:
		return fmt.Sprintf("%.1fs", s)
	}
	d := int64(s + 0.5)
	switch {
	case d < 3600:
		return fmt.Sprintf("%dm%02ds", d/60, d%60)
	case d < 100*3600:
		return fmt.Sprintf("%dh%02dm", d/3600, d/60%60)
	}
	return fmt.Sprintf("%dd%02dh", d/86400, d/3600%24)
}

// at is a time of Unix seconds in the zone that the screen shows.
func (z zone) at(t float64) time.Time {
	whole := math.Floor(t)
	return time.Unix(int64(whole), int64((t-whole)*1e9)).In(z.Location)
}

// zone is the zone in which times are shown.
type zone struct{ *time.Location }

func (z zone) clock(t float64) string  { return z.at(t).Format("15:04:05") }
func (z zone) minute(t float64) string { return z.at(t).Format("15:04") }
func (z zone) millis(t float64) string { return z.at(t).Format("15:04:05.000") }

// full shows a time with its date, when that is another than today's, and the zone.
func (z zone) full(t, now float64) string {
	layout := "15:04:05 -07:00"
	if z.at(t).Format(time.DateOnly) != z.at(now).Format(time.DateOnly) {
		layout = "2006-01-02 " + layout
	}
	return z.at(t).Format(layout)
}

// btoi is 1 for true.
func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
