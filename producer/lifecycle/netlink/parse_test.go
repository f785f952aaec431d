package netlink

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// appendEvent is the inverse of parseEvent, for the kinds that it knows.
func appendEvent(b []byte, e Event) []byte {
	data := make([]byte, 40) // the largest kind's
	put := func(word, v int) { native.PutUint32(data[4*word:], uint32(int32(v))) }
	switch e.Kind {
	case Fork:
		put(0, e.ParentPID)
		put(1, e.ParentTGID)
		put(2, e.PID)
		put(3, e.TGID)
	case Exec:
		put(0, e.PID)
		put(1, e.TGID)
	case Exit:
		put(0, e.PID)
		put(1, e.TGID)
		native.PutUint32(data[8:], e.Status)
	}
	size := headerSize + connectorHeader + eventHeader + len(data)
	b = native.AppendUint32(b, uint32(size))
	b = native.AppendUint16(b, unix.NLMSG_DONE)
	b = append(b, make([]byte, headerSize-6)...)
	for _, word := range []uint32{connectorIndex, connectorValue, e.Seq, 0, uint32(eventHeader + len(data))} {
		b = native.AppendUint32(b, word)
	}
	b = native.AppendUint32(b, uint32(e.Kind))
	b = native.AppendUint32(b, e.CPU)
	b = native.AppendUint64(b, uint64(e.Time))
	return append(b, data...)
}

var someEvents = []Event{
	{Kind: Fork, CPU: 1, Seq: 5, Time: 1e9, PID: 11, TGID: 10, ParentPID: 2, ParentTGID: 1},
	{Kind: Exec, CPU: 0, Seq: 6, Time: 2e9, PID: 10, TGID: 10},
	{Kind: Exit, CPU: 3, Seq: 7, Time: 3e9, PID: 10, TGID: 10, Status: 0x8b},
	{Kind: 0x200, CPU: 3, Seq: 8, Time: 4e9},
}

func TestParseEvent(t *testing.T) {
	for _, want := range someEvents {
		got, err := parseEvent(appendEvent(nil, want))
		if err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
}

func TestParseEvent_Bad(t *testing.T) {
	good := appendEvent(nil, someEvents[0])
	channel := bytes.Clone(good)
	channel[headerSize] = 9
	long := bytes.Clone(good)
	native.PutUint32(long, uint32(len(long)+1))
	short := bytes.Clone(good[:headerSize+connectorHeader+eventHeader+15])
	native.PutUint32(short, uint32(len(short)))
	tests := map[string]struct {
		message []byte
		want    string
	}{
		"nothing":           {nil, "no header"},
		"cut in the header": {good[:headerSize-1], "no header"},
		"cut in the data":   {good[:len(good)-1], "claims"},
		"claims too much":   {long, "claims"},
		"another channel":   {channel, "channel 9.1"},
		"a fork cut short":  {short, "has 15 bytes of data, want 16"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := parseEvent(tt.message); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func FuzzParseEvent(f *testing.F) {
	for _, e := range someEvents {
		f.Add(appendEvent(nil, e))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		e, err := parseEvent(message)
		if err != nil {
			return
		}
		if again, err := parseEvent(appendEvent(nil, e)); err != nil || again != e {
			t.Errorf("got %+v, %v, want %+v", again, err, e)
		}
	})
}

// takeSeqs passes events of these CPUs and numbers through a connector and returns what each says was lost.
func takeSeqs(events ...[2]uint32) []uint32 {
	c := &Connector{next: map[uint32]uint32{}}
	var lost []uint32
	for _, e := range events {
		if told, ok := c.take(appendEvent(nil, Event{Kind: Fork, CPU: e[0], Seq: e[1]})); ok {
			lost = append(lost, told.Lost)
		}
	}
	return lost
}

func TestConnector_CountsGaps(t *testing.T) {
	tests := map[string]struct {
		events [][2]uint32
		want   []uint32
	}{
		"none":                {[][2]uint32{{0, 7}, {0, 8}, {1, 100}, {0, 9}, {1, 101}}, []uint32{0, 0, 0, 0, 0}},
		"one on each CPU":     {[][2]uint32{{0, 7}, {1, 50}, {0, 9}, {1, 54}}, []uint32{0, 0, 1, 3}},
		"the number overruns": {[][2]uint32{{0, 0xffffffff}, {0, 1}}, []uint32{0, 1}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := takeSeqs(tt.events...); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// What an event of another kind, or one that cannot be read, tells of a loss is told with the next event.
func TestConnector_LossIsCarriedOn(t *testing.T) {
	c := &Connector{next: map[uint32]uint32{}}
	c.take(appendEvent(nil, Event{Kind: Fork, Seq: 1}))
	if _, ok := c.take(appendEvent(nil, Event{Kind: 0x200, Seq: 4})); ok { // two are missing
		t.Error("an event of another kind was told")
	}
	c.take([]byte("?"))
	if e, ok := c.take(appendEvent(nil, Event{Kind: Exit, Seq: 5})); !ok || e.Lost != 3 {
		t.Errorf("got %+v, %t, want 3 lost", e, ok)
	}
}

// stats is struct taskstats as the kernel sends it, cut or filled up to size.
func stats(ts unix.Taskstats, size int) []byte {
	b := make([]byte, max(size, int(unsafe.Sizeof(ts))))
	copy(b, unsafe.Slice((*byte)(unsafe.Pointer(&ts)), unsafe.Sizeof(ts)))
	return b[:size]
}

// recordMessage is the payload of a record's message.
func recordMessage(pid, tgid int, stats []byte) []byte {
	id := func(v int) []byte { return native.AppendUint32(nil, uint32(v)) }
	thread := appendAttribute(nil, unix.TASKSTATS_TYPE_PID, id(pid))
	thread = appendAttribute(thread, unix.TASKSTATS_TYPE_STATS, stats)
	b := appendAttribute(make([]byte, genericHeader), unix.TASKSTATS_TYPE_AGGR_PID, thread)
	if tgid != 0 {
		process := appendAttribute(nil, unix.TASKSTATS_TYPE_TGID, id(tgid))
		process = appendAttribute(process, unix.TASKSTATS_TYPE_STATS, make([]byte, len(stats)))
		b = appendAttribute(b, unix.TASKSTATS_TYPE_AGGR_TGID, process)
	}
	return b
}

func someStats(version uint16) unix.Taskstats {
	ts := unix.Taskstats{
		Version: version, Ac_exitcode: 0x500, Ac_flag: 0x30, Ac_pid: 11, Ac_tgid: 10, Ac_ppid: 1, Ac_uid: 1000,
		Ac_tgetime: 2_000_000, Ac_utime: 3000, Ac_stime: 4000, Hiwater_rss: 512, Read_bytes: 1024, Write_bytes: 2048,
	}
	for i, c := range "a name" {
		// C's char is signed on some machines and not on others.
		*(*byte)(unsafe.Pointer(&ts.Ac_comm[i])) = byte(c)
	}
	return ts
}

func TestParseRecord(t *testing.T) {
	full := Record{
		PID: 11, TGID: 10, ParentTGID: 1, UID: 1000, Comm: "a name", Status: 0x500, Last: true, Life: 2 * time.Second,
		CPU: 7 * time.Millisecond, System: 4 * time.Millisecond, PeakRSS: 512, ReadBytes: 1024, WriteBytes: 2048,
	}
	threaded := full
	threaded.Threads = true
	whole := int(unsafe.Sizeof(unix.Taskstats{}))
	groups := int(unsafe.Offsetof(unix.Taskstats{}.Ac_exe_dev))
	tests := map[string]struct {
		message []byte
		want    Record
	}{
		"one thread":               {recordMessage(11, 0, stats(someStats(16), whole)), full},
		"the last of many":         {recordMessage(11, 10, stats(someStats(16), whole)), threaded},
		"the oldest we read":       {recordMessage(11, 0, stats(someStats(12), groups)), full},
		"newer than we know":       {recordMessage(11, 0, stats(someStats(40), whole+400)), full},
		"attributes we do not ask": {appendAttribute(recordMessage(11, 0, stats(someStats(16), whole)), 77, []byte("x")), full},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseRecord(tt.message)
			if err != nil || got != tt.want {
				t.Errorf("got %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}

func TestParseRecord_Bad(t *testing.T) {
	whole := int(unsafe.Sizeof(unix.Taskstats{}))
	good := recordMessage(11, 10, stats(someStats(16), whole))
	tests := map[string]struct {
		message []byte
		want    string
	}{
		"nothing":                   {nil, "cut short"},
		"no record":                 {good[:genericHeader], "holds no record"},
		"cut":                       {good[:len(good)-1], "cut short"},
		"an attribute of no length": {append(make([]byte, genericHeader), 0, 0, 0, 0), "cut short"},
		"too old":                   {recordMessage(11, 0, stats(someStats(11), whole)), "version 11"},
		"torn":                      {recordMessage(11, 0, stats(someStats(15), whole)), "version 15"},
		"short of what we need":     {recordMessage(11, 0, stats(someStats(12), 300)), "of 300 bytes"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := parseRecord(tt.message); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func FuzzParseRecord(f *testing.F) {
	whole := int(unsafe.Sizeof(unix.Taskstats{}))
	for _, version := range []uint16{11, 12, 15, 16, 17} {
		f.Add(recordMessage(11, 10, stats(someStats(version), whole)))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		r, err := parseRecord(message)
		if err == nil && (len(r.Comm) > 32 || strings.ContainsRune(r.Comm, 0)) {
			t.Errorf("got name %q, want at most 32 bytes without a NUL", r.Comm)
		}
	})
}

func FuzzParseFamily(f *testing.F) {
	good := appendAttribute(make([]byte, genericHeader), unix.CTRL_ATTR_FAMILY_ID, []byte{23, 0})
	f.Add(good)
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := parseFamily(data); err == nil && len(data) < len(good)-2 {
			t.Errorf("found a family in %d bytes", len(data))
		}
	})
}
