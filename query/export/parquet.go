package export

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"

	"github.com/parquet-go/parquet-go"
)

// Parquet writes one table, a column for each field, with the names and units of the table of metrics. What is unknown is null. Beside the columns of the answers
// it has time, which is timestamp as a type of its own. The metadata of the file say what is in it: proctape.what, proctape.since and proctape.until in Unix seconds,
// proctape.columns with units and meanings, and proctape.coverage, both JSON.
type Parquet struct {
	table
	out  io.Writer
	w    *parquet.GenericWriter[any]
	row  parquet.Row
	time int // which column the time is of; -1 for none
}

// groupRows is how many rows a row group has: what is held in memory.
const groupRows = 100_000

// NewParquet makes a writer of a Parquet file. The question must be of one table.
func NewParquet(w io.Writer) *Parquet { return &Parquet{out: w, time: -1} }

// Begin writes what stands before the rows.
func (p *Parquet) Begin(h *Head) error {
	if err := p.begin(h, p.write); err != nil {
		return err
	}
	schema, err := p.schema()
	if err != nil {
		return err
	}
	p.w = parquet.NewGenericWriter[any](p.out, schema, parquet.MaxRowsPerRowGroup(groupRows), parquet.CreatedBy("proctape", "", ""))
	coverage, err := json.Marshal(h.Coverage)
	if err != nil {
		return err
	}
	columns, err := json.Marshal(p.described())
	if err != nil {
		return err
	}
	for key, value := range map[string]string{"what": h.What[0], "since": seconds(h.Since), "until": seconds(h.Until), "columns": string(columns), "coverage": string(coverage)} {
		p.w.SetKeyValueMetadata("proctape."+key, value)
	}
	return nil
}

// schema is the schema of the file, in the order of the columns; the time comes last.
func (p *Parquet) schema() (*parquet.Schema, error) {
	var fields []reflect.StructField
	add := func(name, options string, of reflect.Type) {
		fields = append(fields, reflect.StructField{Name: "C" + strconv.Itoa(len(fields)), Type: of, Tag: reflect.StructTag(fmt.Sprintf("parquet:%q", name+options))})
	}
	for i, c := range p.columns {
		switch c.kind {
		case integer:
			add(c.name, ",optional,zstd", reflect.TypeFor[int64]())
		case float:
			add(c.name, ",optional,zstd", reflect.TypeFor[float64]())
		case flag:
			add(c.name, ",optional,zstd", reflect.TypeFor[bool]())
		case text:
			add(c.name, ",optional,dict,zstd", reflect.TypeFor[string]())
		}
		if c.name == "timestamp" || c.name == "started" {
			p.time = i
		}
	}
	if p.time >= 0 {
		add("time", ",optional,timestamp(microsecond),zstd", reflect.TypeFor[int64]())
	}
	return parquet.SchemaOf(reflect.New(reflect.StructOf(fields)).Interface()), nil
}

// described says of each column what it holds.
func (p *Parquet) described() (all []map[string]string) {
	for _, c := range p.columns {
		d := map[string]string{"name": c.name}
		if c.unit != "" {
			d["unit"] = c.unit
		}
		if c.doc != "" {
			d["doc"] = c.doc
		}
		all = append(all, d)
	}
	return all
}

func (p *Parquet) write(row reflect.Value) error {
	p.row = p.row[:0]
	var at value
	for i, c := range p.columns {
		v := c.of(row)
		if i == p.time {
			at = v
		}
		p.row = append(p.row, c.parquet(v, i))
	}
	if p.time >= 0 {
		t := parquet.Int64Value(int64(math.Round(at.float * 1e6)))
		p.row = append(p.row, level(t, at.known, len(p.columns)))
	}
	_, err := p.w.WriteRows([]parquet.Row{p.row})
	return err
}

// parquet is a value as the column of a number has it.
func (c *column) parquet(v value, number int) parquet.Value {
	var of parquet.Value
	switch c.kind {
	case integer:
		of = parquet.Int64Value(v.int)
	case float:
		of = parquet.DoubleValue(v.float)
	case flag:
		of = parquet.BooleanValue(v.int != 0)
	case text:
		of = parquet.ByteArrayValue([]byte(v.text))
	}
	return level(of, v.known, number)
}

// level is a value at its place in a row; null when it is not known.
func level(v parquet.Value, known bool, number int) parquet.Value {
	if !known {
		return parquet.NullValue().Level(0, 0, number)
	}
	return v.Level(0, 1, number)
}

func seconds(at float64) string { return strconv.FormatFloat(at, 'f', -1, 64) }

// End writes what stands behind the rows.
func (p *Parquet) End() error { return p.w.Close() }
