package top

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
	"github.com/proctape/proctape/schema/metric"
)

// Column is a column of the processes: what it prints, it sorts and filters by.
type Column struct {
	Name string // in filters and in the list of columns
	Head string
	Help string
	unit unit

	width    int // in cells; the last column takes what is left
	priority int // those of the lowest number stay on a narrow screen; from 90 on they are shown when they are chosen
	left     bool
	key      string // of the contract, under which a row says that the value is unknown
	number   func(*Row) (float64, bool)
	text     func(*Row, *names) string
}

// unit says how a figure is shown, and how it is written in a filter.
type unit int

const (
	bare unit = iota
	percents
	mebibytes // also of a second
	seconds
	counts
)

// names are what a row alone does not tell.
type names struct {
	user func(uid int64) string
}

// extra is the priority of a column that is shown when it is chosen.
const extra = 90

// measured says how the metrics of the table are shown. Those that are not named have their own name as a head.
var measured = map[metric.ID]Column{
	metric.CPUPermille:         {Name: "cpu", Head: "CPU%", width: 5, priority: 1},
	metric.RSS:                 {Name: "rss", Head: "RSS", width: 5, priority: 1},
	metric.Threads:             {Name: "threads", Head: "THR", width: 4, priority: 5},
	metric.OpenFDs:             {Name: "fds", Head: "FDS", width: 5, priority: 7},
	metric.CPUMillis:           {Name: "time", Head: "TIME", width: 6, priority: 4},
	metric.VMS:                 {Name: "vms", Head: "VMS", width: 5},
	metric.GPUMemory:           {Name: "gpu", Head: "GPU", width: 5},
	metric.ReadKiB:             {Name: "read", Head: "READ", width: 5},
	metric.WriteKiB:            {Name: "written", Head: "WROTE", width: 5},
	metric.MinorFaults:         {Name: "faults", Head: "FAULTS", width: 6},
	metric.MajorFaults:         {Name: "major", Head: "MAJOR", width: 6},
	metric.VoluntarySwitches:   {Name: "switches", Head: "VOLSW", width: 6},
	metric.InvoluntarySwitches: {Name: "involuntary", Head: "INVSW", width: 6},
	metric.Swap:                {Name: "swap", Head: "SWAP", width: 5},
	metric.Hugetlb:             {Name: "hugetlb", Head: "HUGE", width: 5},
	metric.RunDelay:            {Name: "delay", Head: "DELAY", width: 6},
	metric.Cancelled:           {Name: "cancelled", Head: "CANCEL", width: 6},
	metric.Sent:                {Name: "sent", Head: "SENT", width: 5},
	metric.Received:            {Name: "received", Head: "RECVD", width: 5},
}

// Columns are the columns, in the order in which they stand: those of the table of metrics, and what describes a process.
var Columns = makeColumns()

func makeColumns() []Column {
	columns := []Column{
		{Name: "host", Head: "HOST", Help: "Host.", width: 12, priority: 2, left: true, text: func(r *Row, _ *names) string { return r.Host }},
		{Name: "pid", Head: "PID", Help: metric.Table[metric.PID].Doc, width: 7, priority: 1, number: whole(func(r *Row) int64 { return r.PID })},
		{Name: "ppid", Head: "PPID", Help: metric.Table[metric.PPID].Doc, width: 7, priority: 8, number: whole(func(r *Row) int64 { return r.PPID })},
		{Name: "user", Head: "USER", Help: "Effective user.", width: 8, priority: 3, left: true, text: userText},
		{Name: "state", Head: "S", Help: metric.Table[metric.State].Doc, width: 1, priority: 1, left: true, text: func(r *Row, _ *names) string { return r.State }},
	}
	for _, id := range []metric.ID{metric.CPUPermille, metric.RSS, metric.Threads, metric.OpenFDs} {
		columns = append(columns, metricColumn(id))
	}
	columns = append(columns,
		Column{Name: "reads", Head: "READ/s", Help: "Storage reads a second since the snapshot before.", unit: mebibytes, width: 6, priority: 6, number: pointed(func(r *Row) *float64 { return r.ReadRate })},
		Column{Name: "writes", Head: "WRIT/s", Help: "Storage writes a second since the snapshot before.", unit: mebibytes, width: 6, priority: 6, number: pointed(func(r *Row) *float64 { return r.WriteRate })},
		Column{Name: "disk", Head: "DISK/s", Help: "Storage reads and writes a second since the snapshot before.", unit: mebibytes, width: 6, priority: extra, number: pointed(diskRate)},
		Column{Name: "net", Head: "NET/s", Help: "Sent and received over IP sockets a second since the snapshot before.", unit: mebibytes, width: 6, priority: extra, number: pointed(func(r *Row) *float64 { return r.NetRate })})
	for _, id := range metric.Shown {
		if id != metric.State && id != metric.CPUMillis && !slices.ContainsFunc(columns, func(c Column) bool { return c.key == metric.Table[id].Key }) {
			columns = append(columns, metricColumn(id))
		}
	}
	return append(columns,
		Column{Name: "age", Head: "AGE", Help: "How long it has lived.", unit: seconds, width: 6, priority: extra, key: "age_seconds", number: func(r *Row) (float64, bool) { return r.Age, true }},
		Column{Name: "cgroup", Head: "CGROUP", Help: metric.Table[metric.Cgroup].Doc, width: 20, priority: extra, left: true, text: func(r *Row, _ *names) string { return orUnknown(r.Cgroup) }},
		Column{Name: "step", Head: "STEP", Help: metric.Table[metric.Sheet].Doc, width: 5, priority: extra, number: func(r *Row) (float64, bool) {
			if r.Sheet == nil {
				return 0, false
			}
			return float64(*r.Sheet), true
		}},
		Column{Name: "job", Head: "JOB·STEP", Help: "Job, and its step.", width: 12, priority: 2, left: true, text: jobText},
		metricColumn(metric.CPUMillis),
		Column{Name: "command", Head: "COMMAND", Help: metric.Table[metric.Command].Doc, width: 12, priority: 1, left: true, text: func(r *Row, _ *names) string { return r.Command }})
}

// metricColumn is the column of a metric of the table.
func metricColumn(id metric.ID) Column {
	m := &metric.Table[id]
	c, named := measured[id]
	if !named {
		c = Column{Name: m.Name, Head: strings.ToUpper(m.Name), width: max(6, len(m.Name))}
	}
	if c.priority == 0 {
		c.priority = extra
	}
	c.Help, c.key = m.Doc, m.Key
	switch m.Unit {
	case metric.KiB:
		c.unit = mebibytes
	case metric.Permil:
		c.unit = percents
	case metric.Millis:
		c.unit = seconds
	default:
		c.unit = counts
	}
	field := fieldOf(m.Key)
	c.number = func(r *Row) (float64, bool) { return numberIn(reflect.ValueOf(&r.Measured).Elem().Field(field)) }
	return c
}

// fieldOf is the field of what was measured that has a key.
func fieldOf(key string) int {
	t := reflect.TypeFor[query.Measured]()
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name == key {
			return i
		}
	}
	panic("no field of query.Measured has the key " + key) // at start, when a metric was added and query was not generated again
}

// numberIn is the number that a field holds, and whether it is known.
func numberIn(v reflect.Value) (float64, bool) {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return 0, false
		}
		v = v.Elem()
	}
	if v.CanInt() {
		return float64(v.Int()), true
	}
	return v.Float(), true
}

func whole(of func(*Row) int64) func(*Row) (float64, bool) {
	return func(r *Row) (float64, bool) { return float64(of(r)), true }
}

func pointed(of func(*Row) *float64) func(*Row) (float64, bool) {
	return func(r *Row) (float64, bool) {
		v := of(r)
		if v == nil {
			return 0, false
		}
		return *v, true
	}
}

// plus is the sum of what is known.
func plus(a, b *float64) *float64 {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	sum := *a + *b
	return &sum
}

// diskRate is what a process read and wrote a second, of what is known; nil when neither is.
func diskRate(r *Row) *float64 { return plus(r.ReadRate, r.WriteRate) }

func orUnknown(s *string) string {
	if s == nil {
		return unknownFigure
	}
	return *s
}

func userText(r *Row, n *names) string {
	if r.UID == nil {
		return unknownFigure
	}
	return n.user(*r.UID)
}

func jobText(r *Row, _ *names) string {
	if r.JobID == nil {
		return ""
	}
	if r.Sheet == nil {
		return *r.JobID
	}
	return *r.JobID + noFigure + strconv.FormatInt(*r.Sheet, 10)
}

// columnNamed is a column by its name; nil when there is none.
func columnNamed(name string) *Column {
	i := slices.IndexFunc(Columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &Columns[i]
}

// value is the column's number of a row, and whether it is known.
func (c *Column) value(r *Row) (float64, bool) {
	if c.number == nil {
		return 0, false
	}
	if c.key != "" && (r.Missing || slices.Contains(r.Unknown, c.key)) {
		return 0, false
	}
	return c.number(r)
}

// cell is what the column shows of a row.
func (c *Column) cell(r *Row, n *names) string {
	if c.number == nil {
		if c.Name == "state" {
			return stateText(r)
		}
		return term.Safe(c.text(r, n))
	}
	v, known := c.value(r)
	switch {
	case r.place.group != nil && c.unit == bare:
		return noFigure
	case !known && r.End != nil:
		return noFigure
	case !known:
		return unknownFigure
	}
	return c.unit.show(v)
}

// stateText is the state of a process, or the mark of its end.
func stateText(r *Row) string {
	switch {
	case r.place.group != nil:
		return ""
	case r.End != nil:
		mark, _ := deathMark(r.End)
		return mark
	case r.Missing:
		return unknownFigure
	}
	return term.Safe(r.State)
}

// show shows a figure.
func (u unit) show(v float64) string {
	switch u {
	case percents:
		return percentText(v)
	case mebibytes:
		return sizeText(v)
	case seconds:
		return spanText(v)
	case counts:
		return countText(v)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// ColumnTable is the table of columns as documents have it.
func ColumnTable() string {
	var b strings.Builder
	b.WriteString("\n| column | head | what it is |\n|---|---|---|\n")
	for _, c := range Columns {
		b.WriteString("| `" + c.Name + "` | " + c.Head + " | " + strings.ReplaceAll(c.Help, "|", `\|`) + " |\n")
	}
	return b.String() + "\n"
}
