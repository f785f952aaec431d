package metric

import (
	"slices"
	"strings"
)

// InContract reports whether the contract names a metric.
func (id ID) InContract() bool { return slices.Contains(Contract, id) }

// those returns the ids for which keep is true, in the order of the table.
func those(keep func(*Metric) bool) []ID {
	var ids []ID
	for id := range Count {
		if keep(&Table[id]) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Parts of the table, by what has them.
var (
	Numbers = those(func(m *Metric) bool { return m.Kind != Text })
	Texts   = those(func(m *Metric) bool { return m.Kind == Text })
	Samples = those(func(m *Metric) bool { return m.Measured() && m.Sampled }) // columns of samples
	Shown   = those(func(m *Metric) bool { return m.Measured() && m.Key != "" })
	Extras  = those(func(m *Metric) bool { return m.InLine }) // keys of a line behind the contract's
	Lasts   = those(func(m *Metric) bool { return m.Rollup == Last })
	Spreads = those(func(m *Metric) bool { return m.Rollup == Spread })
)

// Names returns the names of columns.
func Names(ids []ID) []string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = Table[id].Name
	}
	return names
}

// Columns returns the columns of a table's alias that are named as the metrics are, with commas.
func Columns(alias string, ids []ID) string {
	return alias + "." + strings.Join(Names(ids), ", "+alias+".")
}

// RollupNames returns the columns of process_rollups that hold metrics: three of each spread, and one of each of the
// others.
func RollupNames() []string {
	var names []string
	for _, id := range Spreads {
		for _, of := range []string{"_mean", "_max", "_p95"} {
			names = append(names, Table[id].Spread+of)
		}
	}
	return append(names, Names(Lasts)...)
}
