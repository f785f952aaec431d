package query

import (
	"context"
	"database/sql"
	"errors"
	"reflect"

	sqlitelib "modernc.org/sqlite/lib"
)

// interruptAtEnd has SQLite stop what a connection runs as soon as ctx ends. The driver does so until the first row of a statement only: a
// statement that goes on for ever between two rows would never end. Call stop before the connection is given back.
func interruptAtEnd(ctx context.Context, conn *sql.Conn) (stop func(), err error) {
	var handle uintptr
	err = conn.Raw(func(of any) error {
		handle, err = handleOf(of)
		return err
	})
	if err != nil {
		return nil, err
	}
	stopped, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		select {
		case <-ctx.Done():
			sqlitelib.Xsqlite3_interrupt(nil, handle) // one store, from any thread while the connection is open
		case <-stopped:
		}
	}()
	return func() { close(stopped); <-gone }, nil
}

// handleOf is SQLite's handle of a connection of the driver, which has no way to tell it.
func handleOf(conn any) (uintptr, error) {
	v := reflect.ValueOf(conn)
	if v.Kind() == reflect.Pointer && v.Elem().Kind() == reflect.Struct {
		if db := v.Elem().FieldByName("db"); db.IsValid() && db.Kind() == reflect.Uintptr {
			return uintptr(db.Uint()), nil
		}
	}
	return 0, errors.New("the driver's connections cannot be interrupted")
}
