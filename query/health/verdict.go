package health

import (
	"fmt"
	"strings"
	"time"

	"github.com/proctape/proctape/schema/trouble"
)

// Verdict says how a recording is.
type Verdict struct {
	Level    trouble.Level `json:"-"`
	Word     string        `json:"verdict"` // well, degraded, standing
	Troubles []Trouble     `json:"troubles"`
}

// Trouble is one reason why a recording is not well.
type Trouble struct {
	Kind    trouble.Kind     `json:"kind"`
	Level   string           `json:"level"`
	About   string           `json:"about,omitempty"` // the host, stream, folder or database
	Since   *float64         `json:"since"`           // Unix seconds; null when it is not known
	Text    string           `json:"text"`
	Figures map[string]int64 `json:"figures,omitempty"`
}

// Line is the verdict in one line: "well", or what is not well.
func (v Verdict) Line() string {
	texts := make([]string, len(v.Troubles))
	for i, t := range v.Troubles {
		texts[i] = t.Text
	}
	if len(texts) == 0 {
		return v.Word
	}
	return v.Word + ": " + strings.Join(texts, "; ")
}

// judge gathers reasons.
type judge struct {
	f        Figures
	troubles []Trouble
	seen     map[[2]string]bool
}

// add adds a reason, unless the same is known of the same already.
func (j *judge) add(kind trouble.Kind, about string, since time.Time, figures map[string]int64, format string, args ...any) {
	key := [2]string{string(kind), about}
	if j.seen[key] {
		return
	}
	j.seen[key] = true
	info, _ := kind.Info()
	t := Trouble{Kind: kind, Level: info.Level.String(), About: about, Text: fmt.Sprintf(format, args...), Figures: figures}
	if !since.IsZero() {
		at := float64(since.UnixNano()) / 1e9
		t.Since = &at
		t.Text += " (for " + short(j.f.Now.Sub(since)) + ")"
	}
	j.troubles = append(j.troubles, t)
}

// short is a duration as people say it.
func short(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(0, d/time.Second))
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd", d/(24*time.Hour))
}
