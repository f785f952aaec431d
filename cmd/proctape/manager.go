package main

import (
	"fmt"
	"net"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// underManager reports whether a service manager started the program and wants to be told how it is: sd_notify(3).
func underManager() bool { return os.Getenv("NOTIFY_SOCKET") != "" }

// notifyManager tells the service manager how the program is, in lines of NAME=VALUE. Without one it does nothing. The manager
// not listening is no reason to stop: the error is for a log.
func notifyManager(lines ...string) error {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return nil
	}
	if name[0] == '@' { // a name in the abstract namespace, unix(7)
		name = "\x00" + name[1:]
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(strings.Join(lines, "\n"))); err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	return nil
}

// monotonicMicros is the time by which a manager knows that what is told belongs to its own request, in its form.
func monotonicMicros() string {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
		return "MONOTONIC_USEC=0"
	}
	return fmt.Sprintf("MONOTONIC_USEC=%d", ts.Nano()/1000)
}
