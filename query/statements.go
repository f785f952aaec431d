package query

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync/atomic"
)

// keepingConnector opens connections that keep the statements which come again: to prepare one costs more than most of them do.
type keepingConnector struct {
	driver.Connector
	cache *atomic.Int64 // bytes of pages that a connection keeps; 0 for as many as a reader does
}

// Connect implements driver.Connector.
func (k keepingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := k.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	full, ok := c.(fullConn)
	if !ok {
		return c, nil
	}
	if bytes := k.cache.Load(); bytes > 0 {
		if _, err := full.ExecContext(ctx, fmt.Sprintf("PRAGMA cache_size = -%d", bytes>>10), nil); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return &keepingConn{fullConn: full, kept: map[string]*keptStatement{}}, nil
}

// fullConn is what a connection of SQLite's driver is.
type fullConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// keepingConn is a connection that keeps statements. It is for one goroutine at a time, as every driver.Conn.
type keepingConn struct {
	fullConn
	kept map[string]*keptStatement // by their text; nil of one that came once
}

// keptStatement is a statement that was prepared. While rows of it are read it is busy.
type keptStatement struct {
	driver.StmtQueryContext
	closer driver.Stmt
	busy   bool
}

// mostStatements is how many texts are remembered. Some are made of how many rows are asked for, and never come again.
const mostStatements = 200

// keptAtOnce is how many statements are kept when they come first, and not when they come again: a command asks some dozens of questions, many of them twice.
const keptAtOnce = 60

// QueryContext implements driver.QueryerContext.
func (c *keepingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, again := c.kept[query]
	if !again {
		if len(c.kept) >= mostStatements {
			c.forget()
		}
		if c.kept[query] = nil; len(c.kept) <= keptAtOnce {
			s = c.prepare(ctx, query)
		}
	} else if s == nil {
		s = c.prepare(ctx, query)
	}
	if s == nil || s.busy {
		return c.fullConn.QueryContext(ctx, query, args)
	}
	rows, err := s.QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	s.busy = true
	return &keptRows{rows, s}, nil
}

// prepare prepares a statement and keeps it; nil when that fails, which whoever runs it then learns.
func (c *keepingConn) prepare(ctx context.Context, query string) *keptStatement {
	prepared, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil
	}
	of, ok := prepared.(driver.StmtQueryContext)
	if !ok {
		_ = prepared.Close()
		return nil
	}
	s := &keptStatement{StmtQueryContext: of, closer: prepared}
	c.kept[query] = s
	return s
}

// forget closes the statements that are not busy, and forgets the texts that came once.
func (c *keepingConn) forget() {
	for query, s := range c.kept {
		if s != nil && s.busy {
			continue
		}
		if s != nil {
			_ = s.closer.Close()
		}
		delete(c.kept, query)
	}
}

// Close implements driver.Conn.
func (c *keepingConn) Close() error {
	c.forget()
	return c.fullConn.Close()
}

// keptRows are the rows of a kept statement, which is free again when they are closed.
type keptRows struct {
	driver.Rows
	of *keptStatement
}

// Close implements driver.Rows.
func (r *keptRows) Close() error {
	r.of.busy = false
	return r.Rows.Close()
}
