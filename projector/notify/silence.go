package notify

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/proctape/proctape/schema/filecheck"
	"github.com/proctape/proctape/schema/lockfile"
)

// Silence keeps anomalies from being told until it ends. Each of its patterns has to fit; an empty one fits all. Times are Unix seconds.
type Silence struct {
	ID      string  `json:"silence_id"`
	Rule    string  `json:"rule"` // of the rule, or the type
	Host    string  `json:"host"`
	Job     string  `json:"job_id"`
	Created float64 `json:"created"`
	Ends    float64 `json:"ends"`
	Comment string  `json:"comment"`
}

// SilencesPath is the file of the silences of a database.
func SilencesPath(db string) string { return db + ".silences" }

// ErrNoSilence says that there is no silence with an id.
var ErrNoSilence = errors.New("there is no such silence")

// fits reports whether a silence is of an anomaly.
func (s *Silence) fits(a *Alert) bool {
	one := func(pattern string, texts ...string) bool {
		return pattern == "" || slices.ContainsFunc(texts, func(t string) bool { return fits(pattern, t) })
	}
	return one(s.Rule, a.Rule, a.Type) && one(s.Host, a.Host) && one(s.Job, a.Job)
}

// silenced reports whether one of some silences keeps an anomaly from being told at a time.
func silenced(silences []Silence, a *Alert, now time.Time) bool {
	at := float64(now.UnixNano()) / 1e9
	return slices.ContainsFunc(silences, func(s Silence) bool { return at >= s.Created && at < s.Ends && s.fits(a) })
}

// Silences reads the silences of a database, those that have ended too; none where there is no file.
func Silences(db string) ([]Silence, error) {
	b, err := filecheck.ReadOurs(SilencesPath(db), largestConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return []Silence{}, nil
	} else if err != nil {
		return nil, err
	}
	all := []Silence{}
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, fmt.Errorf("read %s: %w", SilencesPath(db), err)
	}
	return all, nil
}

// keptEnded is how long a silence is listed after its end.
const keptEnded = 7 * 24 * time.Hour

// AddSilence adds a silence from now on, with an id of its own, and returns it.
func AddSilence(db string, s Silence, now time.Time) (Silence, error) {
	id := make([]byte, 4)
	if _, err := rand.Read(id); err != nil {
		return s, err
	}
	s.ID, s.Created = hex.EncodeToString(id), float64(now.UnixNano())/1e9
	return s, change(db, func(all []Silence) ([]Silence, error) {
		all = slices.DeleteFunc(all, func(old Silence) bool { return old.Ends < s.Created-keptEnded.Seconds() })
		return append(all, s), nil
	})
}

// EndSilence ends a silence now. It is [ErrNoSilence] when there is none with the id that still goes on.
func EndSilence(db, id string, now time.Time) error {
	at := float64(now.UnixNano()) / 1e9
	return change(db, func(all []Silence) ([]Silence, error) {
		i := slices.IndexFunc(all, func(s Silence) bool { return s.ID == id && s.Ends > at })
		if i < 0 {
			return nil, ErrNoSilence
		}
		all[i].Ends = at
		return all, nil
	})
}

// change changes the file of silences, one process at a time.
func change(db string, to func([]Silence) ([]Silence, error)) error {
	lock, err := lockfile.Acquire(SilencesPath(db) + ".lock")
	if err != nil {
		return err
	}
	defer lock.Release() // the file stays
	all, err := Silences(db)
	if err != nil {
		return err
	}
	if all, err = to(all); err != nil {
		return err
	}
	b, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return replaceFile(SilencesPath(db), b)
}
