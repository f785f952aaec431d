package embeddednats

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/embedded-nats/block"
	"github.com/proctape/proctape/schema"
)

// checkMeta makes the files in which a stream and its durables are described what the server can read: without, it leaves
// out the stream and all its messages, at every start. One bit is put right; what is damaged further is made anew. A folder
// that is no stream's is moved aside.
func (d streamDir) checkMeta(aside *aside, log *slog.Logger) error {
	state, err := metaState(d.path, d.name)
	if err != nil {
		return fmt.Errorf("check stream %s: %w", d.name, err)
	}
	switch state {
	case metaSound:
	case metaMended:
		log.Warn("the description of a stream was damaged in one bit and is mended; nothing is lost", "stream", d.name)
	case metaLost:
		if err := d.rebuildMeta(aside, log); err != nil {
			return fmt.Errorf("make the description of stream %s anew: %w", d.name, err)
		}
	}
	return d.checkDurables(log)
}

// rebuildMeta makes the description of one of our streams anew, and moves another's folder aside. The settings that remove
// messages are left out: the recorder sets them when it runs.
func (d streamDir) rebuildMeta(aside *aside, log *slog.Logger) error {
	streams := schema.Streams(schema.Policy{}, 1)
	i := slices.IndexFunc(streams, func(c jetstream.StreamConfig) bool { return c.Name == d.name })
	if i < 0 {
		to, err := aside.move(d.path)
		log.Warn("a folder that describes no stream was moved aside", "path", d.path, "to", to)
		return err
	}
	old, err := os.ReadFile(filepath.Join(d.path, metaName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	cfg := streams[i]
	cfg.MaxAge, cfg.MaxBytes = 0, -1
	b, err := json.Marshal(cfg)
	var info server.FileStreamInfo
	if err == nil {
		err = json.Unmarshal(b, &info.StreamConfig)
	}
	info.Created = createdIn(old)
	if err == nil {
		b, err = json.Marshal(info)
	}
	if err == nil {
		err = writeMeta(d.path, d.name, b)
	}
	if err == nil {
		said := "the description of a stream was damaged and is made anew; its messages are kept"
		if files, err := d.blocks(); err == nil && len(files) == 0 {
			said = "the files of a stream are gone, and it is made anew"
		}
		log.Warn(said, "stream", d.name)
	}
	return err
}

// createdPattern is how the time of a stream's making stands in its description.
var createdPattern = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z`)

// createdIn is when a stream was made, as far as its damaged description still tells. Otherwise it is now, and every database
// reads the stream anew.
func createdIn(meta []byte) time.Time {
	if at, err := time.Parse(time.RFC3339Nano, string(createdPattern.Find(meta))); err == nil {
		return at
	}
	return time.Now().UTC()
}

// checkDurables checks the descriptions and states of a stream's durables. What is damaged is deleted: a database makes its
// durable anew, and its own checkpoint says where it reads on.
func (d streamDir) checkDurables(log *slog.Logger) error {
	folder := filepath.Join(d.path, durablesName)
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(folder, e.Name())
		state, err := metaState(path, d.name+"/"+e.Name())
		switch {
		case err != nil:
			return err
		case state == metaLost:
			log.Warn("a reader's place in a stream was damaged and is deleted; its database has its own", "stream", d.name, "durable", e.Name())
			if err := os.RemoveAll(path); err != nil {
				return err
			}
			continue
		}
		if b, err := os.ReadFile(filepath.Join(path, "o.dat")); err == nil && !block.IsConsumerState(b) {
			log.Warn("how far a reader of a stream is was damaged and is forgotten; its database knows", "stream", d.name, "durable", e.Name())
			if err := os.Remove(filepath.Join(path, "o.dat")); err != nil {
				return err
			}
		}
	}
	return nil
}

type metaCondition int

const (
	metaSound metaCondition = iota
	metaMended
	metaLost
)

// metaState reads a description and its checksum, and mends one flipped bit in either.
func metaState(folder, key string) (metaCondition, error) {
	meta, err := os.ReadFile(filepath.Join(folder, metaName))
	if errors.Is(err, fs.ErrNotExist) || len(meta) > 1<<20 {
		return metaLost, nil
	} else if err != nil {
		return metaLost, err
	}
	text, err := os.ReadFile(filepath.Join(folder, sumName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return metaLost, err
	}
	sum, err := block.Checksum(key, meta)
	if err != nil {
		return metaLost, err
	}
	if string(text) == hex.EncodeToString(sum) {
		return metaSound, nil
	}
	if differInOneBit(text, []byte(hex.EncodeToString(sum))) {
		return metaMended, writeMeta(folder, key, meta)
	}
	for bit := range 8 * len(meta) {
		meta[bit/8] ^= 1 << (bit % 8)
		if sum, err := block.Checksum(key, meta); err == nil && string(text) == hex.EncodeToString(sum) {
			return metaMended, writeMeta(folder, key, meta)
		}
		meta[bit/8] ^= 1 << (bit % 8)
	}
	return metaLost, nil
}

// differInOneBit reports whether two texts of one length differ in no more than a bit.
func differInOneBit(a, b []byte) bool {
	bits := 0
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		for d := a[i] ^ b[i]; d != 0; d &= d - 1 {
			bits++
		}
	}
	return bits <= 1
}

// writeMeta writes a description and its checksum. A crash between the two leaves what is made anew the next time.
func writeMeta(folder, key string, meta []byte) error {
	sum, err := block.Checksum(key, meta)
	if err != nil {
		return err
	}
	if err := writeSynced(filepath.Join(folder, metaName), meta); err != nil {
		return err
	}
	return writeSynced(filepath.Join(folder, sumName), []byte(hex.EncodeToString(sum)))
}
