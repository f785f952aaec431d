package store

import (
	"database/sql"
	"fmt"
	"path/filepath"

	"github.com/proctape/proctape/projector/ndjson"
)

// fileKey names a file by the way to it from the database: in another folder it is another file, and a data folder that
// is moved keeps its own.
func (s *Store) fileKey(path string) string {
	if rel, err := filepath.Rel(filepath.Dir(s.path), path); err == nil {
		return rel
	}
	return path
}

// FileState reads how far the database is in the file at path. known is false for a file that the database knows
// nothing of.
func (s *Store) FileState(path string) (state ndjson.State, known bool, err error) {
	err = s.Query(`SELECT generation, size, lines, sum FROM files WHERE name = ?`, func(r *sql.Rows) error {
		known = true
		return r.Scan(&state.Generation, &state.Size, &state.Lines, &state.Sum)
	}, s.fileKey(path))
	if err != nil {
		return state, false, fmt.Errorf("read how far a file is: %w", err)
	}
	return state, known, nil
}

// WriteFileState stores how far the file at path is.
func (tx *Tx) WriteFileState(path string, state ndjson.State) error {
	_, err := tx.Exec(`INSERT INTO files(name, generation, size, lines, sum) VALUES (?,?,?,?,?)
		ON CONFLICT(name) DO UPDATE SET generation=excluded.generation, size=excluded.size, lines=excluded.lines, sum=excluded.sum`,
		tx.store.fileKey(path), state.Generation, state.Size, state.Lines, state.Sum)
	if err != nil {
		return fmt.Errorf("store how far a file is: %w", err)
	}
	return nil
}

// RotateFile stores how far the new file at path is, when the one that was there is rotated away, and with it those that were before.
func (s *Store) RotateFile(path string, state ndjson.State) error {
	return s.Write(func(tx *Tx) error {
		paths := append([]string{path}, ndjson.Rotated(path)...)
		if _, err := tx.Exec(`DELETE FROM files WHERE name = ?`, s.fileKey(paths[len(paths)-1])); err != nil {
			return fmt.Errorf("store how far a file is: %w", err)
		}
		for i := len(paths) - 1; i > 0; i-- {
			if _, err := tx.Exec(`UPDATE files SET name = ? WHERE name = ?`, s.fileKey(paths[i]), s.fileKey(paths[i-1])); err != nil {
				return fmt.Errorf("store how far a file is: %w", err)
			}
		}
		return tx.WriteFileState(path, state)
	})
}
