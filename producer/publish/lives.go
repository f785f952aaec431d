package publish

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/filecheck"
	"github.com/proctape/proctape/schema/lockfile"
	"github.com/proctape/proctape/schema/trouble"
)

// lives is a folder in which each life of a producer writes down what it has reached, in a file of its own that it keeps
// locked: HOST.INSTANCE.life. A file whose lock is free is of a life that has ended. One goroutine at a time uses it.
type lives struct {
	folder, host string
	log          *slog.Logger
	trouble      *trouble.Reporter

	own     lifeFile
	text    []byte // what the own file says
	failing bool   // the last write failed, and that was reported
	taken   map[schema.Instance]*lifeFile
	passed  map[string]bool // files of other hosts, which were logged
}

// reportingLives is the name under which lives report trouble.
const reportingLives = "lives"

// lifeSuffix is the end of the name of a life's file.
const lifeSuffix = ".life"

// openLives returns the lives in a folder, which the first write makes.
func openLives(folder, host string, instance schema.Instance, log *slog.Logger, report *trouble.Reporter) (*lives, error) {
	if err := filecheck.Folder(folder); err != nil {
		return nil, err
	}
	return &lives{folder: folder, host: host, log: log, trouble: report, taken: map[schema.Instance]*lifeFile{}, passed: map[string]bool{},
		own: lifeFile{path: filepath.Join(folder, host+"."+instance.String()+lifeSuffix)}}, nil
}

// save writes down what this life has reached, unless that stands there already.
func (l *lives) save(e *schema.End) {
	if len(e.Reached) == 0 {
		return // it has made nothing
	}
	text, err := lifeText(l.host, e)
	if err != nil || bytes.Equal(text, l.text) {
		return
	}
	if err = os.MkdirAll(l.folder, 0o700); err == nil {
		err = l.own.write(text)
	}
	switch {
	case err != nil:
		l.failing = true
		l.trouble.Begin(reportingLives, trouble.Trouble{Kind: trouble.Unwritten, About: l.host, Reason: err.Error()})
	case l.failing:
		l.failing = false
		l.trouble.End(reportingLives, trouble.Unwritten, l.host, "nothing lost by it")
		fallthrough
	default:
		l.text = text
	}
}

// takeUp returns the lives of the host that have ended, as far as they may be taken up, with what they had reached, the oldest first, and keeps
// them from others. What cannot be read is logged once, and costs itself alone.
func (l *lives) takeUp(may func(schema.Instance) bool) (past []schema.End) {
	entries, err := os.ReadDir(l.folder)
	if err != nil {
		return nil // there is none yet
	}
	for _, entry := range entries {
		path := filepath.Join(l.folder, entry.Name())
		switch {
		case path == l.own.path || path == l.own.path+unfinished:
		case strings.HasSuffix(path, lifeSuffix+unfinished):
			l.sweep(path)
		case !strings.HasSuffix(path, lifeSuffix):
		case !strings.HasPrefix(entry.Name(), l.host+"."):
			l.pass(path)
		default:
			if life, ok := l.takeFile(path, may); ok {
				past = append(past, life)
			}
		}
	}
	slices.SortFunc(past, func(a, b schema.End) int { return cmp.Compare(a.Wall, b.Wall) })
	return past
}

// takeFile takes up the life of a file; ok is false when it goes on, is taken already, may not be taken up, or cannot be read.
func (l *lives) takeFile(path string, may func(schema.Instance) bool) (life schema.End, ok bool) {
	f, err := openLifeFile(path)
	if _, held := errors.AsType[*lockfile.HeldError](err); held || errors.Is(err, errReplaced) || errors.Is(err, fs.ErrNotExist) {
		return life, false
	}
	if err != nil {
		l.passOver(path, err)
		return life, false
	}
	text, err := f.read()
	if err == nil {
		life, err = parseLife(l.host, text)
	}
	if err == nil && filepath.Base(path) != l.host+"."+life.Instance.String()+lifeSuffix {
		err = errors.New("its name is another life's")
	}
	if err != nil {
		l.log.Warn("what a life of this host had reached cannot be read: what was lost at its end is not known", "file", path, "err", errors.Join(err, f.setAside()))
		return life, false
	}
	if !may(life.Instance) {
		_ = f.close() // nothing was written
		return life, false
	}
	l.taken[life.Instance] = f
	return life, true
}

// forget removes the files of lives of which the log has heard.
func (l *lives) forget(told []schema.Instance) {
	for _, instance := range told {
		if f := l.taken[instance]; f != nil {
			delete(l.taken, instance)
			if err := f.remove(); err != nil {
				l.log.Warn("the file of a life that has ended stays", "file", f.path, "err", err)
			}
		}
	}
}

// close gives all locks up. The own file goes too where the next life need not know of this one.
func (l *lives) close(keep bool) {
	if !keep && l.own.f != nil {
		if err := l.own.remove(); err != nil {
			l.log.Warn("the file of this life stays", "file", l.own.path, "err", err)
		}
		l.own.f = nil
	}
	for _, f := range l.taken {
		_ = f.close()
	}
	_ = l.own.close() // what is in it is on disk
}

// unfinishedYouth is how long an unfinished file is left alone: a life that has just made one has not locked it yet.
const unfinishedYouth = time.Minute

// sweep deletes what a life left that was cut off while it wrote.
func (l *lives) sweep(path string) {
	if info, err := os.Lstat(path); err != nil || time.Since(info.ModTime()).Abs() < unfinishedYouth {
		return
	}
	if f, err := openLifeFile(path); err == nil {
		_ = f.remove() // else the next look does
	}
}

// pass logs once that a file is another host's: only a producer of that name tells of it.
func (l *lives) pass(path string) {
	if !l.passed[path] && !lifeGoesOn(path) {
		l.passed[path] = true
		l.log.Info("a life of another host is left alone: only a producer of that name tells what became of it", "file", path)
	}
}

// passOver logs once why a file is not read.
func (l *lives) passOver(path string, err error) {
	if !l.passed[path] {
		l.passed[path] = true
		l.log.Warn("what a life of this host had reached is not read: what was lost at its end is not known", "file", path, "err", err)
	}
}

// lifeGoesOn reports whether somebody holds the lock of a life's file.
func lifeGoesOn(path string) bool {
	_, held := lockfile.Owner(path)
	return held
}

// Sampled reports whether a sampler wrote down in a folder of lives, within a time, what it had made of a host: the next one takes up what others
// of the host leave there.
func Sampled(folder, host string, within time.Duration) bool {
	paths, _ := filepath.Glob(filepath.Join(folder, host+".*"+lifeSuffix)) // the pattern is good
	return slices.ContainsFunc(paths, func(path string) bool {
		about, err := os.Stat(path)
		if err != nil || time.Since(about.ModTime()) > within || about.Size() > maxLifeFile {
			return false
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return false
		}
		life, err := parseLife(host, text)
		return err == nil && slices.ContainsFunc(life.Reached, func(r schema.Reached) bool { return r.Kind == schema.KindSnapshot })
	})
}
