package main

import (
	"context"
	"os"
	"os/signal"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// hangup is what SIGHUP does while a command runs that can reload its settings.
type hangup struct {
	reload func()
	always bool // without a service manager too, unless a terminal went away
}

// onHangup is nil while no command runs that can reload its settings.
var onHangup atomic.Pointer[hangup]

// untilSignal returns a context that ends when the program is told to end: by Ctrl-C, by SIGTERM, or by SIGHUP, which a terminal
// sends that goes away. Then the default is back for the first two: another one ends the program at once. Not so for SIGHUP: a
// terminal that goes away may send it twice, once by the kernel and once by the shell.
//
// Under a service manager SIGHUP asks a command that can reload its settings for that, and ends nothing; nor does it where another
// program rotates the files and sends it afterwards. A program that was
// started with SIGHUP ignored, by nohup(1), goes on ignoring it.
func untilSignal(parent context.Context) context.Context {
	ctx, end := context.WithCancel(parent)
	ends := make(chan os.Signal, 1)
	signal.Notify(ends, os.Interrupt, unix.SIGTERM)
	hangups := make(chan os.Signal, 1)
	if !signal.Ignored(unix.SIGHUP) {
		signal.Notify(hangups, unix.SIGHUP)
	}
	terminals := openTerminals()
	go func() { // as long as the program
		for {
			select {
			case <-ends:
				signal.Stop(ends)
				end()
			case <-hangups:
				if h := onHangup.Load(); h != nil && (underManager() || h.always && len(openTerminals()) == len(terminals)) {
					h.reload()
				} else {
					end()
				}
			}
		}
	}()
	return ctx
}

// atHangup has SIGHUP call reload, under a service manager or always, until the returned function is called.
func atHangup(reload func(), always bool) (stop func()) {
	onHangup.Store(&hangup{reload, always})
	return func() { onHangup.Store(nil) }
}

// openTerminals are the standard streams that are a terminal which is still there.
func openTerminals() (open []int) {
	for fd := range 3 {
		if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err == nil {
			open = append(open, fd)
		}
	}
	return open
}
