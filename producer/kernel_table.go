package producer

import (
	"errors"
	"fmt"

	"github.com/proctape/proctape/producer/bpf"
	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// openTable opens the kernel's own table of processes, if the mode wants it and the kernel allows it, and adds what came of it
// to what the probe of /proc found. The table is nil when it is not used, and there is an error then in the mode
// [bpf.On] alone.
func openTable(fs *procfs.FS, mode bpf.Mode, probed []Capability) (*bpf.Table, []Capability, error) {
	c := Capability{Name: schema.CapBPF, Detail: doc(schema.CapBPF), Quiet: mode == bpf.Off}
	if mode == bpf.Off {
		return nil, append(probed, c), nil
	}
	table, err := bpf.OpenTable(fs)
	if err == nil {
		c.Have = true
		if err := table.NetworkRefused(); err != nil {
			c.Detail = fmt.Sprintf("%s, but not what they send: %v", c.Detail, err)
		}
		return table, append(seenByTable(table, probed), c), nil
	}
	c.Grant = grantOf(err)
	if mode == bpf.On {
		return nil, nil, &NoBPFError{err, c.Grant}
	}
	c.Detail = fmt.Sprintf("%s: %v; /proc is read instead", c.Detail, err)
	return nil, append(probed, c), nil
}

// grantOf is what to grant so that programs in the kernel work.
func grantOf(err error) string {
	if refused, ok := errors.AsType[*bpf.Refusal](err); ok {
		return refused.Grant
	}
	return ""
}

// seenByTable are the capabilities that the probe of /proc found, with those of them that the table has though /proc has not.
func seenByTable(table *bpf.Table, probed []Capability) []Capability {
	scan, err := table.Processes(nil, procfs.Options{})
	better := map[schema.Capability]Capability{
		schema.CapProcesses: processCapability(&scan, err), schema.CapIO: ioCapability(&scan, err),
	}
	for i, c := range probed {
		if b := better[c.Name]; b.Have {
			probed[i] = b
		}
	}
	return probed
}

// NoBPFError says that programs in the kernel were asked for, and why they do not work.
type NoBPFError struct {
	Err   error
	Grant string // what to grant so that they do
}

// Error is the reason.
func (e *NoBPFError) Error() string { return fmt.Sprintf("use programs in the kernel: %v", e.Err) }

// Unwrap is the reason.
func (e *NoBPFError) Unwrap() error { return e.Err }
