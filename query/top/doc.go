// Package top is the screen of proctape top: a source of recorded moments goes in, and a terminal shows them, live or as they were
// at any time.
//
// A [Model] is pure: keys and answers go in, the cells of a screen and requests come out. It asks no clock, reads no database and
// knows no terminal. [Run] stands at the edge: it reads the terminal, asks the [Source] what the model requests, and draws.
// One table, [Keys], handles keys and makes the help. One table, [Columns], prints, sorts and filters.
package top
