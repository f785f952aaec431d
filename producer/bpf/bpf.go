// Package bpf reads the kernel's own table of processes by small programs that run in the kernel. It sees what /proc shows,
// most of it more exactly, for a fraction of the cost.
//
// The programs are written in C, in the folder kernel; go generate makes of them what is loaded. They read the kernel and
// change nothing in it. Nothing is pinned: when this process ends, however it ends, the kernel drops them.
package bpf

import "fmt"

//go:generate ./generate

// Mode says whether the programs are used.
type Mode string

// The modes.
const (
	Off  Mode = "off"  // never
	Auto Mode = "auto" // where the kernel and this process's capabilities allow it
	On   Mode = "on"   // always: it is an error where they do not
)

// ParseMode returns the mode of a name; the error says which there are.
func ParseMode(name string) (Mode, error) {
	switch m := Mode(name); m {
	case Off, Auto, On:
		return m, nil
	}
	return "", fmt.Errorf("%q is none of auto, on and off", name)
}
