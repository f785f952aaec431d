// Package anomaly finds episodes: what a rule says is wrong, about one subject, from its start to its end (docs/anomalies.md).
//
// A rule is data. It reads the messages of one stream, in their order, and what it finds derives from these messages alone: the same stream
// gives the same episodes, whenever and however often it is read. The package has no clock and knows no database.
//
// A message's way: [Engine.Observe] makes rows of it (rows.go), each rule picks rows and says whether its condition holds (compiled.go), and the state of
// the rule's subject makes an episode of that (episode.go).
package anomaly

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"path"
	"slices"
	"time"

	"github.com/proctape/proctape/schema"
)

// Rule is one rule, as YAML has it. The zero value of what is left out works, but for Name, On and When.
type Rule struct {
	Name     string              `yaml:"name" json:"name"`
	Type     string              `yaml:"type" json:"type,omitempty"`         // of its anomalies; default the name of a built-in, or custom
	Doc      string              `yaml:"doc" json:"doc,omitempty"`           // one line for people
	On       string              `yaml:"on" json:"on"`                       // what its rows are: one of [Scopes]
	By       string              `yaml:"by" json:"by,omitempty"`             // what groups, or events, are counted by
	Settings map[string]float64  `yaml:"settings" json:"settings,omitempty"` // numbers that its expressions name
	Watch    string              `yaml:"watch" json:"watch,omitempty"`       // expression: rows of which track is kept; default all
	Track    string              `yaml:"track" json:"track,omitempty"`       // field of which values are kept for window
	Window   Duration            `yaml:"window" json:"window,omitempty"`     // how far back values, or events, count
	Count    int                 `yaml:"count" json:"count,omitempty"`       // events in window from which on the condition holds
	When     string              `yaml:"when" json:"when"`                   // expression: the condition
	Once     Duration            `yaml:"once" json:"once,omitempty"`         // for how long after an event no other of its job is told of
	Reset    string              `yaml:"reset" json:"reset,omitempty"`       // expression: an event after which the count begins anew
	Until    string              `yaml:"until" json:"until,omitempty"`       // expression: ends an episode; default: when does not hold
	For      Duration            `yaml:"for" json:"for,omitempty"`           // how long the condition must hold
	ClearFor Duration            `yaml:"clear_for" json:"clear_for,omitempty"`
	Severity schema.Severity     `yaml:"severity" json:"severity,omitempty"` // default medium
	Escalate []Escalation        `yaml:"escalate" json:"escalate,omitempty"` // worse severities, and when
	Value    string              `yaml:"value" json:"value,omitempty"`       // field that is the episode's value; default what track names
	Worst    string              `yaml:"worst" json:"worst,omitempty"`       // max or min: which value is the peak; default max
	Limit    string              `yaml:"threshold" json:"threshold,omitempty"`
	Show     []string            `yaml:"show" json:"show,omitempty"` // fields whose values are kept at the peak
	Describe string              `yaml:"describe" json:"describe,omitempty"`
	Labels   map[string]string   `yaml:"labels" json:"labels,omitempty"`
	Jobs     map[string]Override `yaml:"jobs" json:"jobs,omitempty"` // by pattern of job names, as nightly/*
	Off      bool                `yaml:"off" json:"off,omitempty"`   // the rule finds nothing

	BuiltIn bool `yaml:"-" json:"built_in,omitempty"`
}

// Escalation is a worse severity of a rule's episodes, and the condition for it.
type Escalation struct {
	Severity schema.Severity `yaml:"severity" json:"severity"`
	When     string          `yaml:"when" json:"when"`
}

// Override is what a rule does differently for the processes of some jobs.
type Override struct {
	Off      bool               `yaml:"off" json:"off,omitempty"`
	Settings map[string]float64 `yaml:"settings" json:"settings,omitempty"`
}

// Duration is a span of time, written as 30s or 2h.
type Duration time.Duration

// MarshalText writes it as [time.Duration] does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what [time.ParseDuration] reads.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// Digest names what the rule says: two rules that find the same have the same one. It is 16 hexadecimal digits.
func (r *Rule) Digest() string {
	of := *r
	of.Doc, of.BuiltIn = "", false
	b, _ := json.Marshal(of) // texts and finite numbers always encode, and maps by their keys' order
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// AnomalyType is the type of the rule's anomalies.
func (r *Rule) AnomalyType() string {
	switch {
	case r.Type != "":
		return r.Type
	case r.BuiltIn:
		return r.Name
	}
	return schema.KindAnomaly.AnomalyType()
}

// settingsOf are the settings for the processes of a job; off says that the rule leaves them alone. Of two patterns that match, the longer counts.
func (r *Rule) settingsOf(job string) (settings map[string]float64, off bool) {
	pattern := ""
	for p := range r.Jobs {
		if ok, _ := path.Match(p, job); (ok || p == job) && (len(p) > len(pattern) || len(p) == len(pattern) && p < pattern) {
			pattern = p
		}
	}
	o, ok := r.Jobs[pattern]
	if !ok || job == "" {
		return r.Settings, false
	}
	settings = map[string]float64{}
	for name, v := range r.Settings {
		settings[name] = v
	}
	for name, v := range o.Settings {
		settings[name] = v
	}
	return settings, o.Off
}

// labels are the labels by name.
func (r *Rule) labels() []schema.AnomalyLabel {
	var labels []schema.AnomalyLabel
	for name, value := range r.Labels {
		labels = append(labels, schema.AnomalyLabel{Name: name, Value: value})
	}
	slices.SortFunc(labels, func(a, b schema.AnomalyLabel) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return labels
}

// The scopes: what a rule's rows are.
const (
	OnProcess = "process" // a process of a snapshot
	OnGroup   = "group"   // processes of a snapshot that have something in common: see By
	OnJob     = "job"     // the processes of a job in a snapshot
	OnHost    = "host"    // the host of a snapshot
	OnGPU     = "gpu"     // a GPU of a snapshot
	OnRun     = "run"     // a run of a job that has ended, or a step of one
)

// Scopes are what a rule's rows can be. The last five are events.
var Scopes = []string{OnProcess, OnGroup, OnJob, OnHost, OnGPU, OnRun, "exit", "spawn", "signal", "kill", "oom"}

// isEvent reports whether a scope's rows are events.
func isEvent(scope string) bool { return schema.EventKinds[scope] != "" }
