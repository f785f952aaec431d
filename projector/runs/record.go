package runs

import (
	"cmp"
	"reflect"
	"slices"

	"github.com/proctape/proctape/schema"
)

// key names a run.
type key struct {
	job    string
	fleet  bool
	hostID int64
	host   string // name; [schema.Fleet] for what the fleet's conductor says
	run    string
}

func (of key) values() []any { return []any{of.job, of.fleet, of.hostID, of.run} }

// state is what is known of a run: by the tables that job events fill, and by its last record.
type state struct {
	key
	now     *schema.RunRecord // with the number of the last record, if there is one
	record  uint64            // how many records there are
	told    *schema.RunRecord // the last record; nil for none
	bootID  string
	unknown bool // its declaration is not there: when it started is not known by now
}

// message is the record that is to be published; nil when the last one says the same.
func (s *state) message() *schema.Message {
	if s.told != nil && reflect.DeepEqual(s.now, s.told) {
		return nil
	}
	return &schema.Message{Envelope: schema.Envelope{Version: schema.Version, Kind: schema.KindRun, Host: s.host, BootID: cmp.Or(s.bootID, "unknown"),
		Instance: schema.RecordInstance(s.host, s.job, s.now.Run), Seq: s.record + 1, Wall: s.now.LastEvent}, Run: s.now}
}

// merge takes over from the last record what the tables no longer have: the log may have lost the beginning of a run.
func (s *state) merge() {
	now, told := s.now, s.told
	if told == nil {
		return
	}
	now.Number = told.Number
	if s.unknown {
		now.Started = min(now.Started, told.Started)
	}
	if told.Ended.Known && (!now.Ended.Known || now.Inferred && !told.Inferred) {
		now.Ended, now.Since, now.Inferred, now.ExitCode, now.Signal, now.Details = told.Ended, told.Since, told.Inferred, told.ExitCode, told.Signal, told.Details
	}
	now.Status, now.Command = cmp.Or(now.Status, told.Status), cmp.Or(now.Command, told.Command)
	now.TotalSheets, now.LastCompleted = orTold(now.TotalSheets, told.TotalSheets), orTold(now.LastCompleted, told.LastCompleted)
	now.LastEvent, now.LowerBound = max(now.LastEvent, told.LastEvent), now.LowerBound || told.LowerBound
	now.Totals = mergeTotals(now.Totals, told.Totals)
	now.Steps = mergeSteps(now.Steps, told.Steps)
}

func orTold(now, told schema.Opt[int64]) schema.Opt[int64] {
	if now.Known {
		return now
	}
	return told
}

func mergeTotals(now, told *schema.Totals) *schema.Totals {
	if now == nil || told == nil {
		return cmp.Or(now, told)
	}
	t := *now
	if !t.CPUMicros.Known {
		t.CPUMicros, t.CPUSource, t.System = told.CPUMicros, told.CPUSource, told.System
	}
	if !t.PeakRSS.Known {
		t.PeakRSS, t.PeakSource = told.PeakRSS, told.PeakSource
	}
	if !t.ReadKiB.Known && !t.WriteKiB.Known {
		t.ReadKiB, t.WriteKiB, t.IOSource = told.ReadKiB, told.WriteKiB, told.IOSource
	}
	t.GroupPeak, t.PIDsPeak, t.Processes = orTold(t.GroupPeak, told.GroupPeak), orTold(t.PIDsPeak, told.PIDsPeak), orTold(t.Processes, told.Processes)
	return &t
}

func mergeSteps(now, told []schema.RunStep) []schema.RunStep {
	merged := slices.Clone(now)
	for _, s := range told {
		i, found := slices.BinarySearchFunc(merged, s, func(a, b schema.RunStep) int { return cmp.Compare(a.Sheet, b.Sheet) })
		if !found {
			merged = slices.Insert(merged, i, s)
			continue
		}
		m := &merged[i]
		m.Started = orTold(m.Started, s.Started)
		if !m.Ended.Known {
			m.Ended, m.ExitCode, m.Signal = s.Ended, s.ExitCode, s.Signal
		}
		m.Status, m.Totals = cmp.Or(m.Status, s.Status), mergeTotals(m.Totals, s.Totals)
	}
	return merged[:min(len(merged), schema.MaxSteps)]
}
