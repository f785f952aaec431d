package bundle

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/filecheck"
)

// Check reads all of a bundle, and returns its manifest, whose sum it returns too, when everything is as it was made. It is [ErrNoBundle] for a file that is none,
// and a [TamperedError] for one that was changed. Whoever can change a bundle can make it a new manifest: compare the sum with the one that Make told.
func Check(ctx context.Context, path string) (*Made, error) {
	if err := filecheck.Database(path); err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	for _, beside := range []string{"-wal", "-journal"} { // SQLite would read it as a part of the database
		if other, err := os.Stat(path + beside); err == nil && other.Size() > 0 {
			return nil, &TamperedError{"the file", path + beside + " lies beside it"}
		}
	}
	db, err := sql.Open("sqlite", schema.ReaderDSN(path)+"&immutable=1")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, noDatabase(err)
	}
	defer conn.Close()
	m, sum, err := readManifest(ctx, conn)
	if err != nil {
		return nil, noDatabase(err)
	}
	if err := checkFile(ctx, conn, info.Size()); err != nil {
		return nil, err
	}
	if err := checkContent(ctx, conn, m); err != nil {
		return nil, err
	}
	return &Made{Manifest: *m, Sum: sum, Size: info.Size()}, nil
}

// noDatabase is the error of a file that SQLite cannot read.
func noDatabase(err error) error {
	var tampered *TamperedError
	if errors.Is(err, ErrNoBundle) || errors.As(err, &tampered) || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrNoBundle, err)
}

// checkFile checks that the file has all of its pages and nothing else.
func checkFile(ctx context.Context, conn *sql.Conn, size int64) error {
	var pages, page, free int64
	for pragma, into := range map[string]*int64{"page_count": &pages, "page_size": &page, "freelist_count": &free} {
		if err := conn.QueryRowContext(ctx, `PRAGMA `+pragma).Scan(into); err != nil {
			return &TamperedError{"the file", err.Error()}
		}
	}
	if pages*page != size || free != 0 {
		return &TamperedError{"the file", fmt.Sprintf("it has %d bytes, and %d pages of %d bytes, %d of them free", size, pages, page, free)}
	}
	var says string
	if err := conn.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&says); err != nil {
		return &TamperedError{"the file", err.Error()}
	} else if says != "ok" {
		return &TamperedError{"the file", says}
	}
	return nil
}

// checkContent compares what is in the tables with the manifest.
func checkContent(ctx context.Context, conn *sql.Conn, m *Manifest) error {
	tables, layout, err := sums(ctx, conn)
	if err != nil {
		return &TamperedError{"a table", err.Error()}
	}
	had := map[string]Table{}
	for _, t := range m.Tables {
		had[t.Name] = t
	}
	for _, t := range tables {
		was, there := had[t.Name]
		delete(had, t.Name)
		switch {
		case !there:
			return &TamperedError{"table " + t.Name, "it was not there"}
		case was.Rows != t.Rows:
			return &TamperedError{"table " + t.Name, fmt.Sprintf("it has %d rows, and had %d", t.Rows, was.Rows)}
		case was.Sum != t.Sum:
			return &TamperedError{"table " + t.Name, "a value is another"}
		}
	}
	for name := range had {
		return &TamperedError{"table " + name, "it is gone"}
	}
	if layout != m.Layout {
		return &TamperedError{"the layout", "a table, view, index or trigger is another"}
	}
	return nil
}
