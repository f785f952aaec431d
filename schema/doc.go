// Package schema is the contract between all parts of proctape: what a message holds and how it is encoded,
// which subjects and streams carry it, and which SQL tables it is folded into.
//
// # Units and clocks
//
// Sizes are KiB or bytes, as the field's name says. CPU time is cumulative. Wall times are Unix nanoseconds, UTC.
// Boot times are nanoseconds of CLOCK_BOOTTIME (clock_gettime(2)): they never step and go on while the machine
// sleeps, so durations and ages are taken from them. Unknown is not zero: a value that could not be read is an
// [Opt] that is not known.
//
// # Identity
//
// A process is (host, boot id, pid, start ticks); a pid alone names nobody for long. An item is
// (instance, kind, number): the producer numbers what it makes, and that number, not the stream's sequence,
// makes it unique, because a log can lose an acknowledged tail on power loss and hand its sequences out again.
//
// # Compatibility
//
// Every record is an array whose fields are only ever appended. A reader skips a tail it does not know and takes
// a missing tail as unknown; but a list must be long enough to hold the first version's fields of all its records.
// See the golden bytes under testdata.
package schema
