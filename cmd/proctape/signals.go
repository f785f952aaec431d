package main

import (
	"context"
	"os"
	"os/signal"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// onHangup is what SIGHUP does under a service manager while a command runs that can reload its settings; nil while none does.
var onHangup atomic.Pointer[func()]

// untilSignal returns a context that ends when the program is told to end: by Ctrl-C, by SIGTERM, or by SIGHUP, which a terminal
// sends that goes away. Then the default is back for the first two: another one ends the program at once. Not so for SIGHUP: a
// terminal that goes away may send it twice, once by the kernel and once by the shell.
//
// Under a service manager SIGHUP asks a command that can reload its settings for that, and ends nothing. A program that was
// started with SIGHUP ignored, by nohup(1), goes on ignoring it.
func untilSignal(parent context.Context) context.Context {
	ctx, end := context.WithCancel(parent)
	ends := make(chan os.Signal, 1)
	signal.Notify(ends, os.Interrupt, unix.SIGTERM)
	hangups := make(chan os.Signal, 1)
	if !signal.Ignored(unix.SIGHUP) {
		signal.Notify(hangups, unix.SIGHUP)
	}
	go func() { // as long as the program
		for {
			select {
			case <-ends:
				signal.Stop(ends)
				end()
			case <-hangups:
				if reload := onHangup.Load(); reload != nil && underManager() {
					(*reload)()
				} else {
					end()
				}
			}
		}
	}()
	return ctx
}

// atHangup has SIGHUP call reload, under a service manager, until the returned function is called.
func atHangup(reload func()) (stop func()) {
	onHangup.Store(&reload)
	return func() { onHangup.Store(nil) }
}
