package spool

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// segmentSize is how large a file grows, in bytes. A spool is made smaller by one file at a time.
const segmentSize = 1 << 20

// segmentSuffix is the end of the name of a file of messages.
const segmentSuffix = ".seg"

// home is where the files of a spool are, and what stands at the beginning of each.
type home struct {
	folder string
	head   Head
	disk   disk
}

// lane is the messages of a spool for one stream, in files that are read in the order in which they were written.
type lane struct {
	name     string
	segments []*segment // the oldest first
	out      file       // the last one, as long as it is written; nil when the next message begins another
	made     int        // number of the last file
}

// append writes records behind the others. When it returns without an error they are on disk.
func (l *lane) append(at *home, records []Record) (places []place, err error) {
	for len(records) > 0 {
		if l.out == nil || l.last().size >= segmentSize {
			if err := l.begin(at); err != nil {
				return places, err
			}
		}
		seg := l.last()
		var b []byte
		added := *seg
		n := 0
		for ; n < len(records) && (n == 0 || added.size < segmentSize); n++ {
			before := len(b)
			b = appendRecord(b, &records[n])
			added.add(&records[n], int64(len(b)-before))
			places = append(places, place{seg, added.records - 1, added.size})
		}
		if _, err = l.out.WriteAt(b, seg.size); err == nil {
			err = l.out.Sync()
		}
		if err != nil { // what was written is written again, in its place
			return places[:len(places)-n], fmt.Errorf("write %s: %w", seg.path, err)
		}
		*seg = added
		records = records[n:]
	}
	return places, nil
}

func (l *lane) last() *segment { return l.segments[len(l.segments)-1] }

// begin begins another file.
func (l *lane) begin(at *home) error {
	if err := l.close(); err != nil {
		return err
	}
	path := filepath.Join(at.folder, fmt.Sprintf("%s-%08d%s", l.name, l.made+1, segmentSuffix))
	f, err := at.disk.create(path)
	if err != nil {
		return err
	}
	l.made++
	head := at.head.frame()
	if _, err = f.WriteAt(head, 0); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = at.disk.syncFolder(at.folder)
	}
	if err != nil {
		_, _ = f.Close(), os.Remove(path)
		return fmt.Errorf("write %s: %w", path, err)
	}
	l.out = f
	l.segments = append(l.segments, &segment{path: path, size: int64(len(head)), begin: int64(len(head))})
	return nil
}

// close ends the file that is written. The next message begins another.
func (l *lane) close() (err error) {
	if l.out != nil {
		err = l.out.Close()
		l.out = nil
	}
	return err
}

// read is what waits, the oldest first, at most so much. A file that cannot be read is given up, with how many items were in it.
func (l *lane) read(room room) (list []Entry, lost uint64, err error) {
	for _, seg := range slices.Clone(l.segments) {
		var failed error
		if list, failed = seg.read(list, &room); failed != nil {
			err = fmt.Errorf("read %s: %w", seg.path, failed)
			for _, e := range list {
				if e.at.segment == seg {
					lost -= e.Items
				}
			}
			lost += seg.left
			l.giveUp(seg, &list)
			return list, lost, err
		}
	}
	return list, 0, nil
}

// giveUp has a segment end before what cannot be read. What was read of it is still to be published.
func (l *lane) giveUp(seg *segment, list *[]Entry) {
	n := 0
	var items uint64
	for _, e := range *list {
		if e.at.segment == seg {
			n++
			items += e.Items
			seg.records = e.at.number + 1
		}
	}
	if n == 0 {
		l.remove(seg)
		return
	}
	seg.waiting, seg.left = n, items
	if seg == l.last() {
		_ = l.close() // what was written is on disk
	}
}

// remove deletes a file.
func (l *lane) remove(seg *segment) {
	if seg == l.last() {
		_ = l.close() // it goes
	}
	seg.gone = true
	l.segments = slices.DeleteFunc(l.segments, func(s *segment) bool { return s == seg })
	_ = os.Remove(seg.path) // what stays is read again, and taken by nobody twice
}

// sweep deletes the files that the log has all of.
func (l *lane) sweep() {
	for _, seg := range slices.Clone(l.segments) {
		if seg.waiting == 0 {
			l.remove(seg)
		}
	}
}
