package netlink

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// possibleCPUs holds the list of CPUs there may ever be, in the form that taskstats wants it.
const possibleCPUs = "/sys/devices/system/cpu/possible"

// Taskstats reads an exit record of each thread that ends, Linux Documentation/accounting/taskstats.rst. One goroutine
// uses it.
type Taskstats struct {
	socket *socket
	family uint16
	cpus   []byte
	lost   bool // a message was dropped that could not be read
}

// OpenTaskstats registers for the records of all CPUs, with a receive buffer of so many bytes, 32 MiB when 0.
// The error is ENOENT when the kernel has no taskstats, EPERM without CAP_NET_ADMIN and EINVAL in a child pid or user
// namespace. In another network namespace than the first there is no error and there are no records, and those of Linux
// before 5.19, 6.14 and 6.15 cannot be read and count as lost: probe. The caller closes it.
func OpenTaskstats(receiveBuffer int) (*Taskstats, error) {
	if receiveBuffer == 0 {
		receiveBuffer = defaultBuffer
	}
	cpus, err := os.ReadFile(possibleCPUs)
	if err != nil {
		return nil, fmt.Errorf("open taskstats: %w", err)
	}
	s, err := open(unix.NETLINK_GENERIC, 0, receiveBuffer, recordBatch, recordBuffer)
	if err != nil {
		return nil, fmt.Errorf("open taskstats: %w", err)
	}
	t := &Taskstats{socket: s, cpus: append(bytes.TrimSpace(cpus), 0)}
	if t.family, err = s.resolveFamily(unix.TASKSTATS_GENL_NAME); err != nil {
		return nil, errors.Join(fmt.Errorf("find taskstats: %w", err), s.close())
	}
	if err := t.command(unix.TASKSTATS_CMD_ATTR_REGISTER_CPUMASK); err != nil {
		return nil, errors.Join(fmt.Errorf("register for exit records: %w", err), s.close())
	}
	return t, nil
}

// command asks to register or deregister for all CPUs.
func (t *Taskstats) command(attribute uint16) error {
	_, err := t.socket.request(t.family, unix.TASKSTATS_CMD_GET, unix.TASKSTATS_GENL_VERSION, attribute, t.cpus)
	return err
}

// Close deregisters: without that the kernel keeps the port as a listener until it fails to deliver.
func (t *Taskstats) Close() error {
	return errors.Join(t.command(unix.TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK), t.socket.close())
}

// Read appends to records those that came, from at most limit messages. It does not wait. Overrun says that some were
// lost since the call before; the kernel does not say how many. The records of threads that end at the same time on
// different CPUs, also those of one process, come in any order.
func (t *Taskstats) Read(records []Record, limit int) (all []Record, overrun bool, err error) {
	overrun, err = t.socket.drain(limit, func(message []byte) {
		kind, data, err := payload(message)
		if err == nil && kind != t.family {
			return // an answer to a request
		}
		var r Record
		if err == nil {
			r, err = parseRecord(data)
		}
		if err != nil {
			t.lost = true
			return
		}
		records = append(records, r)
	})
	overrun, t.lost = overrun || t.lost, false
	if err != nil {
		return records, overrun, fmt.Errorf("read taskstats: %w", err)
	}
	return records, overrun, nil
}
