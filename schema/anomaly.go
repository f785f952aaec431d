package schema

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/proctape/proctape/schema/wire"
)

// Anomaly is what is known of one episode: what a rule found, about one subject, from its start to its end. The kind of the message names its
// type ([AnomalyKind]). What is told later of the same episode has a higher number as a message ([Envelope.Seq]) and replaces it. Values are in
// thousandths of the unit that Metric ends with.
type Anomaly struct {
	Rule        string         `json:"rule"`            // name of the rule that found it
	Digest      string         `json:"rule_digest"`     // of what the rule said then: 16 hexadecimal digits
	Severity    Severity       `json:"severity"`        // the worst so far: low, medium, high or critical
	About       AnomalySubject `json:"about"`           // what it is about
	Started     int64          `json:"started_ns"`      // since when the condition holds, Unix nanoseconds, as are all times here
	Noticed     int64          `json:"noticed_ns"`      // when it had held for as long as the rule asks
	Peaked      int64          `json:"peaked_ns"`       // when the value was at its worst
	LastSeen    int64          `json:"last_seen_ns"`    // when it was last seen
	Ended       Opt[int64]     `json:"ended_ns"`        // unknown while it goes on
	EndReason   EndReason      `json:"end_reason"`      // why it ended; empty while it goes on
	Metric      string         `json:"metric"`          // what the value is, as rss_mb; empty for none
	First       Opt[int64]     `json:"first_x1000"`     // the value when it started
	Peak        Opt[int64]     `json:"peak_x1000"`      // the worst value
	Last        Opt[int64]     `json:"last_x1000"`      // the value when it was last seen
	Threshold   Opt[int64]     `json:"threshold_x1000"` // that the value was beyond when it was noticed
	Values      []AnomalyValue `json:"values"`          // what else the rule names, at the peak
	Samples     int64          `json:"samples"`         // observations in which the condition held
	Description string         `json:"description"`     // one sentence for people
	Labels      []AnomalyLabel `json:"labels"`          // of the rule, by name
}

// AnomalySubject is what an episode is about. A process is named by its start, so that a pid that is used again is another subject.
type AnomalySubject struct {
	Kind       SubjectKind `json:"kind"`           // process, group, job, run, host or gpu
	PID        int64       `json:"pid"`            // of a process; 0 for none
	StartTicks uint64      `json:"start_ticks"`    // of a process, hundredths of a second after boot; 0 when unknown
	Command    string      `json:"command"`        // of a process, scrubbed; or the program that a group runs
	Cgroup     string      `json:"cgroup"`         // of a process; or of a group
	JobID      string      `json:"job_id"`         // the job; of a process the one that it belongs to; empty for none
	Fleet      bool        `json:"fleet,omitzero"` // the job is one of the fleet, and not this host's own
	Run        RunID       `json:"run,omitzero"`   // of a run
	Sheet      Opt[int64]  `json:"sheet_num"`      // the job's step (sheet)
	GPU        Opt[int64]  `json:"gpu"`            // number of a GPU
}

// AnomalyValue is a value that a rule names.
type AnomalyValue struct {
	Name  string `json:"name"`  // as rss_mb
	Value int64  `json:"x1000"` // in thousandths of its unit
}

// AnomalyLabel is a label of a rule.
type AnomalyLabel struct {
	Name  string `json:"name"`  // a word
	Value string `json:"value"` // of the rule's choice
}

// SubjectKind says what an episode can be about.
type SubjectKind string

// The kinds of subjects.
const (
	AboutProcess SubjectKind = "process"
	AboutGroup   SubjectKind = "group" // the processes of a control group, or those of one program
	AboutJob     SubjectKind = "job"
	AboutRun     SubjectKind = "run"
	AboutHost    SubjectKind = "host"
	AboutGPU     SubjectKind = "gpu"
)

// SubjectKinds are all kinds of subjects.
var SubjectKinds = []SubjectKind{AboutProcess, AboutGroup, AboutJob, AboutRun, AboutHost, AboutGPU}

// Severity says how bad an anomaly is.
type Severity string

// The severities, the least first.
const (
	SeverityLow      Severity = "low"
	SeverityMedium   Severity = "medium"
	SeverityHigh     Severity = "high"
	SeverityCritical Severity = "critical"
)

// Severities are all severities, the least first.
var Severities = []Severity{SeverityLow, SeverityMedium, SeverityHigh, SeverityCritical}

// Rank is the place of the severity among all, from 0; -1 for one that does not exist.
func (s Severity) Rank() int { return slices.Index(Severities, s) }

// EndReason says why an episode ended.
type EndReason string

// The reasons for which episodes end.
const (
	EndRecovered   EndReason = "recovered"    // the condition no longer holds
	EndGone        EndReason = "gone"         // the subject is no more
	EndRebooted    EndReason = "rebooted"     // the machine started anew
	EndRuleChanged EndReason = "rule_changed" // the rule is gone, or says something else
	EndMoment      EndReason = "moment"       // it is of one moment, and has no length
)

// EndReasons are all reasons for which episodes end.
var EndReasons = []EndReason{EndRecovered, EndGone, EndRebooted, EndRuleChanged, EndMoment}

// AnomalySubjects is the pattern of the subjects of all anomalies of a host; * stands for all hosts.
func AnomalySubjects(host string) string { return SubjectPrefix + host + "." + anomalyPrefix + "*" }

// AnomalyInstance returns the identity under which every database publishes an episode: two that find the same one make one message. It is
// also the episode's id. The message's number says how often something was told of the episode.
func AnomalyInstance(host, bootID, rule string, about *AnomalySubject, started int64) Instance {
	b := fmt.Appendf(nil, "anomaly\x00%s\x00%s\x00%s\x00%s\x00%d", host, bootID, rule, about.Key(), started)
	sum := sha256.Sum256(b)
	return Instance(sum[:16])
}

// Key names the subject within a boot of its host: two observations of one subject have the same key.
func (s *AnomalySubject) Key() string {
	switch s.Kind {
	case AboutProcess:
		return fmt.Sprintf("%d.%d", s.PID, s.StartTicks)
	case AboutGroup:
		return s.Cgroup + "\x00" + s.Command + "\x00" + s.JobID
	case AboutJob:
		return fmt.Sprintf("%t.%s", s.Fleet, s.JobID)
	case AboutRun:
		return fmt.Sprintf("%t.%s.%s.%d", s.Fleet, s.JobID, s.Run, s.Sheet.Or(-1))
	case AboutGPU:
		return fmt.Sprint(s.GPU.V)
	}
	return ""
}

// The most values and labels that an episode has.
const maxAnomalyList = 64

func (a *Anomaly) validate() error {
	switch {
	case a.Rule == "":
		return errors.New("no rule")
	case a.Severity.Rank() < 0:
		return fmt.Errorf("severity %.80q is none of low, medium, high, critical", a.Severity)
	case !slices.Contains(SubjectKinds, a.About.Kind):
		return fmt.Errorf("about %.80q: want one of %v", a.About.Kind, SubjectKinds)
	case a.Ended.Known != slices.Contains(EndReasons, a.EndReason) || !a.Ended.Known && a.EndReason != "":
		return fmt.Errorf("end_reason %.80q: want one of %v with ended_ns, and none without", a.EndReason, EndReasons)
	}
	return errors.Join(boundWall.check("started_ns", a.Started), boundWall.check("noticed_ns", a.Noticed), boundWall.check("peaked_ns", a.Peaked),
		boundWall.check("last_seen_ns", a.LastSeen), boundAnyWall.checkOpt("ended_ns", a.Ended), boundAnomaly.checkOpt("first_x1000", a.First),
		boundAnomaly.checkOpt("peak_x1000", a.Peak), boundAnomaly.checkOpt("last_x1000", a.Last), boundAnomaly.checkOpt("threshold_x1000", a.Threshold),
		boundCount.check("samples", a.Samples), text("rule", a.Rule, MaxName), text("rule_digest", a.Digest, MaxName), text("metric", a.Metric, MaxName),
		text("description", a.Description, MaxText), a.About.validate(), eachOf("value", a.Values, maxAnomalyList, (*AnomalyValue).validate),
		eachOf("label", a.Labels, maxAnomalyList, (*AnomalyLabel).validate))
}

func (s *AnomalySubject) validate() error {
	return errors.Join(boundPID.check("pid", s.PID), boundTicks.checkUnsigned("start_ticks", s.StartTicks), text("command", s.Command, MaxCommand),
		text("cgroup", s.Cgroup, MaxText), text("job id", s.JobID, MaxName), boundStep.checkOpt("sheet_num", s.Sheet), boundGPU.checkOpt("gpu", s.GPU))
}

// boundAnomaly is the bound of a value of an episode: what a double holds exactly.
var boundAnomaly = bound{-1 << 53, 1 << 53}

func (v *AnomalyValue) validate() error {
	return errors.Join(text("name", v.Name, MaxName), boundAnomaly.check("x1000", v.Value))
}

func (l *AnomalyLabel) validate() error {
	return errors.Join(text("name", l.Name, MaxName), text("value", l.Value, MaxText))
}

func writeAnomaly(w *writer, a *Anomaly) {
	w.Array(19)
	w.String(a.Rule)
	w.String(a.Digest)
	w.String(string(a.Severity))
	writeAnomalySubject(w, &a.About)
	w.Int(a.Started)
	w.Int(a.Noticed)
	w.Int(a.Peaked)
	w.Int(a.LastSeen)
	writeOpt(w, a.Ended)
	w.String(string(a.EndReason))
	w.String(a.Metric)
	for _, v := range []Opt[int64]{a.First, a.Peak, a.Last, a.Threshold} {
		writeOpt(w, v)
	}
	writeList(w, a.Values, func(w *writer, v *AnomalyValue) {
		w.Array(2)
		w.String(v.Name)
		w.Int(v.Value)
	})
	w.Int(a.Samples)
	w.String(a.Description)
	writeList(w, a.Labels, func(w *writer, l *AnomalyLabel) {
		w.Array(2)
		w.String(l.Name)
		w.String(l.Value)
	})
}

func writeAnomalySubject(w *writer, s *AnomalySubject) {
	w.Array(10)
	w.String(string(s.Kind))
	w.Int(s.PID)
	w.Uint(s.StartTicks)
	w.String(s.Command)
	w.String(s.Cgroup)
	w.String(s.JobID)
	w.Bool(s.Fleet)
	writeRunID(w, s.Run)
	writeOpt(w, s.Sheet)
	writeOpt(w, s.GPU)
}

func readAnomaly(r *wire.Reader) *Anomaly {
	a := new(Anomaly)
	_, outer := r.Open(maxFields)
	a.Rule = r.String(MaxName)
	a.Digest = r.String(MaxName)
	a.Severity = Severity(r.String(MaxName))
	readAnomalySubject(r, &a.About)
	a.Started = r.Int()
	a.Noticed = r.Int()
	a.Peaked = r.Int()
	a.LastSeen = r.Int()
	a.Ended = readOpt(r)
	a.EndReason = EndReason(r.String(MaxName))
	a.Metric = r.String(MaxName)
	for _, v := range []*Opt[int64]{&a.First, &a.Peak, &a.Last, &a.Threshold} {
		*v = readOpt(r)
	}
	a.Values = readList(r, maxAnomalyList, 2, func(r *wire.Reader, v *AnomalyValue) {
		_, outer := r.Open(maxFields)
		v.Name = r.String(MaxName)
		v.Value = r.Int()
		r.Close(outer)
	})
	a.Samples = r.Int()
	a.Description = r.String(MaxText)
	a.Labels = readList(r, maxAnomalyList, 2, func(r *wire.Reader, l *AnomalyLabel) {
		_, outer := r.Open(maxFields)
		l.Name = r.String(MaxName)
		l.Value = r.String(MaxText)
		r.Close(outer)
	})
	r.Close(outer)
	return a
}

func readAnomalySubject(r *wire.Reader, s *AnomalySubject) {
	_, outer := r.Open(maxFields)
	s.Kind = SubjectKind(r.String(MaxName))
	s.PID = r.Int()
	s.StartTicks = r.Uint()
	s.Command = r.String(MaxCommand)
	s.Cgroup = r.String(MaxText)
	s.JobID = r.String(MaxName)
	s.Fleet = r.Bool()
	readRunID(r, &s.Run)
	s.Sheet = readOpt(r)
	s.GPU = readOpt(r)
	r.Close(outer)
}
