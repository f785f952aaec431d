package doctor

import (
	"fmt"
	"time"
)

// What a process and sample takes on the disk, in bytes, in the log and the database together (docs/performance.md), and what should be free.
const (
	bytesPerSample = 60
	leastFree      = 1 << 30
)

// judgeFolder judges the data folder.
func judgeFolder(f Facts) []Check {
	d := f.Folder
	if d.Path == "" {
		return nil
	}
	place := Check{Part: "folder", Name: "data folder", State: There, Detail: d.Path + " can be written"}
	switch {
	case d.Error != "":
		place.State, place.Detail, place.Grant = Lacks, d.Error, d.Mend
		if place.Grant == "" {
			place.Grant = "name a folder of yours with --data"
		}
	case d.Remote:
		place.State, place.Detail = Lacks, fmt.Sprintf("%s is on another machine (%s): a database there can be damaged", d.Path, d.FS)
		place.Grant = "name a folder on a disk of this machine with --data"
	case d.Fleeting:
		place.State, place.Detail = Lacks, fmt.Sprintf("%s is in memory (%s): the recording is gone after a boot", d.Path, d.FS)
		place.Grant = "name a folder on a disk with --data"
	case d.Recorder != 0:
		place.Detail = fmt.Sprintf("process %d records into %s", d.Recorder, d.Path)
	case !d.Exists:
		place.Detail = d.Path + " can be made"
	}
	if d.Error != "" && d.Free == 0 {
		return []Check{place}
	}
	return append([]Check{place, judgeSpace(f)}, judgeSync(d)...)
}

// judgeSpace judges how much is free.
func judgeSpace(f Facts) Check {
	d := f.Folder
	daily := int64(0)
	if f.Interval > 0 {
		daily = int64(f.Machine.Processes) * int64(24*time.Hour/f.Interval) * bytesPerSample
	}
	c := Check{Part: "folder", Name: "disk", State: There, Detail: fmt.Sprintf("%d MiB are free", d.Free>>20),
		Costs: fmt.Sprintf("about %d MiB for each day at full resolution, for %d processes every %s", max(1, daily>>20), f.Machine.Processes, f.Interval)}
	if d.Free < leastFree {
		c.State, c.Detail, c.Grant = Lacks, c.Detail+", and 1024 MiB should be", "make room, or keep less with --max-db-mb and --max-log-mb"
	}
	return c
}

func judgeSync(d Folder) []Check {
	if d.Error != "" {
		return nil
	}
	fs := ""
	if d.FS != "" {
		fs = " on " + d.FS
	}
	return []Check{{Part: "folder", Name: "sync", State: Note, Detail: fmt.Sprintf("a file of 4 KiB is safe after %s%s; the log waits for that before it acknowledges", d.Sync.Round(10*time.Microsecond), fs)}}
}
