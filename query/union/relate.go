package union

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/proctape/proctape/schema"
)

// relate finds which databases are of one log, and refuses those that have something in common that only one can tell.
func relate(members []*member) error {
	var firsts []*member // of each log
	for i, m := range members {
		m.place = int64(i)
		if m.version != members[0].version {
			return &VersionError{members[0].Name, m.Name, members[0].version, m.version}
		}
		for _, n := range members[:i] {
			for _, id := range slices.Sorted(maps.Keys(m.hosts)) {
				if _, both := n.hosts[id]; both {
					return &HostError{m.hosts[id], n.Name, m.Name}
				}
			}
		}
		log := slices.IndexFunc(firsts, m.sameLog)
		if log < 0 {
			log = len(firsts)
			firsts = append(firsts, m)
		}
		m.log = int64(log)
		if m.streams[schema.StreamEvents].seq > firsts[log].streams[schema.StreamEvents].seq { // the one that has read most
			firsts[log] = m
		}
	}
	for i, m := range firsts {
		m.first = true
		for _, n := range firsts[:i] {
			if j := slices.IndexFunc(m.jobs, func(job string) bool { return slices.Contains(n.jobs, job) }); j >= 0 {
				return &JobError{m.jobs[j], n.Name, m.Name}
			}
		}
	}
	return nil
}

// hides is the condition on rows of a table that another database tells, of which this one has a copy: what is said of the fleet and of
// no host. It is empty where there is none.
func (m *member) hides(members []*member, t *table) string {
	before := slices.ContainsFunc(members[:m.place], func(n *member) bool { return n.fleet != 0 })
	switch {
	case t.name == "hosts" && before:
		return "id <> " + fleetID
	case t.name == "meta" && m.place > 0:
		return "0"
	case m.first:
		return ""
	case t.name == "gaps":
		told := members[slices.IndexFunc(members, func(n *member) bool { return n.log == m.log && n.first })].gaps
		return fmt.Sprintf("host_id IS NOT %s AND NOT (host_id IS NULL AND (stream, epoch, at_seq, n) IN (VALUES %s))", fleetID, cmp.Or(told, "(NULL,NULL,NULL,NULL)"))
	case t.column("host_id") >= 0:
		return "host_id IS NOT " + fleetID
	case strings.HasPrefix(t.name, "quarantine"):
		return "coalesce(host, '') <> ''"
	}
	return ""
}

// common takes the tables that all databases have, with the columns of the one that has most: a metric that another lacks is unknown there.
func common(members []*member) (tables []*table, views []string) {
	best := slices.MaxFunc(members, func(a, b *member) int { return a.width() - b.width() })
	for _, t := range best.tables {
		everywhere := true
		for _, m := range members {
			i := slices.IndexFunc(m.tables, func(o *table) bool { return o.name == t.name })
			if everywhere = everywhere && i >= 0; !everywhere {
				break
			}
			lacks := make([]bool, len(t.columns))
			for c, name := range t.columns {
				lacks[c] = m.tables[i].column(name) < 0
			}
			t.lacks, t.hides = append(t.lacks, lacks), append(t.hides, m.hides(members, t))
		}
		if everywhere {
			tables = append(tables, t)
		}
	}
	return tables, best.views
}
