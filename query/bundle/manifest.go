// Package bundle takes a part of a recording into a small database of its own: a run of a job, or a time. The file has the tables of a
// recording, so that everything reads it that reads a recording, and a manifest, by which [Check] knows whether it is as it was made.
package bundle

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/proctape/proctape/query"
)

// version is that of the manifest.
const version = 1

// Manifest says what a bundle holds.
type Manifest struct {
	Version  int     `json:"version"`
	Made     float64 `json:"made"` // Unix seconds
	By       string  `json:"by"`   // version of the program
	Job      string  `json:"job_id,omitempty"`
	Run      int64   `json:"run,omitempty"` // of the job; 0 for a time
	RunID    string  `json:"run_id,omitempty"`
	From     float64 `json:"from_time"` // of what is in it, Unix seconds
	To       float64 `json:"to_time"`
	Tokens   bool    `json:"tokens"` // command lines are replaced by tokens
	Database string  `json:"database_id"`
	// Layout is the sum of what makes the tables, views and indexes.
	Layout string  `json:"layout_sha256"`
	Tables []Table `json:"tables"`
	// Coverage is how much was known of what was asked for when the bundle was made.
	Coverage []query.Coverage `json:"coverage"`
}

// write writes the manifest into the bundle, and returns its sum.
func (m *Manifest) write(ctx context.Context, conn *sql.Conn) (string, error) {
	text, err := json.Marshal(m)
	if err != nil {
		return "", err
	}
	sum := sumOf(text)
	if _, err := conn.ExecContext(ctx, `CREATE TABLE `+manifestTable+` (manifest TEXT NOT NULL, sha256 TEXT NOT NULL)`); err != nil {
		return "", err
	}
	_, err = conn.ExecContext(ctx, `INSERT INTO `+manifestTable+` VALUES (?, ?)`, string(text), sum)
	return sum, err
}

// ErrNoBundle is returned for a file that is no bundle.
var ErrNoBundle = errors.New("it is no bundle")

// readManifest reads the manifest, and its sum as it is.
func readManifest(ctx context.Context, conn *sql.Conn) (m *Manifest, sum string, err error) {
	var there, rows int
	err = conn.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master WHERE name = '`+manifestTable+`' AND type = 'table'`).Scan(&there)
	if err != nil {
		return nil, "", err
	} else if there == 0 {
		return nil, "", ErrNoBundle
	}
	var text, noted string
	err = conn.QueryRowContext(ctx, `SELECT count(*) OVER (), manifest, sha256 FROM `+manifestTable).Scan(&rows, &text, &noted)
	if errors.Is(err, sql.ErrNoRows) || err == nil && rows != 1 {
		return nil, "", &TamperedError{"the manifest", "it is not one"}
	} else if err != nil {
		return nil, "", err
	}
	if sum = sumOf([]byte(text)); sum != noted {
		return nil, "", &TamperedError{"the manifest", "its sum is another"}
	}
	m = new(Manifest)
	if err := json.Unmarshal([]byte(text), m); err != nil {
		return nil, "", &TamperedError{"the manifest", "it cannot be read"}
	}
	if m.Version != version {
		return nil, "", fmt.Errorf("the bundle is of version %d: this proctape reads version %d", m.Version, version)
	}
	return m, sum, nil
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
