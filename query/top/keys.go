package top

import (
	"slices"
	"strings"
)

// Key is what keys do.
type Key struct {
	Keys []string // as the terminal's reader names them
	Name string   // as help and documents name them
	Help string
	Part string // under which heading help has it
	Foot string // in the line at the bottom; empty for not there

	on []screenName // the screens on which it works; none for all
	do func(*Model)
}

// The parts of the table.
const (
	partMove = "Moving"
	partList = "The list"
	partTime = "Time"
	partRest = "Besides"
)

// Keys is every key, in the order of the help. It handles them, and makes help and documents.
var Keys []Key

func init() { Keys = append(Keys, makeKeys()...) } // the help that a key shows is made of the table

func makeKeys() []Key {
	return slices.Concat(moveKeys(), listKeys(), timeKeys(), restKeys())
}

func moveKeys() []Key {
	return []Key{
		{Keys: []string{"up"}, Name: "Up", Help: "the row above", Part: partMove, do: move(-1)},
		{Keys: []string{"down"}, Name: "Down", Help: "the row below", Part: partMove, do: move(1)},
		{Keys: []string{"pgup"}, Name: "PgUp", Help: "a screen up", Part: partMove, do: page(-1)},
		{Keys: []string{"pgdown"}, Name: "PgDn", Help: "a screen down", Part: partMove, do: page(1)},
		{Keys: []string{"home"}, Name: "Home", Help: "the first row, whichever process that is", Part: partMove, do: first},
		{Keys: []string{"end"}, Name: "End", Help: "the last row", Part: partMove, do: last},
		{Keys: []string{"1"}, Name: "1", Help: "the processes", Part: partMove, Foot: "proc", do: openScreen(processesScreen)},
		{Keys: []string{"2"}, Name: "2", Help: "the jobs: Enter unfolds steps and processes", Part: partMove, Foot: "jobs", do: openScreen(jobsScreen)},
		{Keys: []string{"3"}, Name: "3", Help: "the hosts: Enter shows one alone", Part: partMove, Foot: "hosts", do: openScreen(hostsScreen)},
		{Keys: []string{"4"}, Name: "4", Help: "the events, the newest first: Enter goes to the time of one", Part: partMove, Foot: "events", do: openScreen(eventsScreen)},
		{Keys: []string{"tab"}, Name: "Tab", Help: "the next screen", Part: partMove, do: nextScreen(1)},
		{Keys: []string{"shift+tab"}, Name: "Shift-Tab", Help: "the screen before", Part: partMove, do: nextScreen(-1)},
		{Keys: []string{"enter"}, Name: "Enter", Help: "open the row: what is known of a process, the processes of a group, the parts of a job", Part: partMove, do: enter},
		{Keys: []string{"i"}, Name: "i", Help: "the story of the row: why a process ended, the report of a run, what a host has", Part: partMove, do: tell},
		{Keys: []string{"esc"}, Name: "Esc", Help: "back: from a screen, from groups, from tags, from a filter", Part: partMove, do: back},
	}
}

func listKeys() []Key {
	list := []screenName{processesScreen}
	return []Key{
		{Keys: []string{"C", "P"}, Name: "C P", Help: "sort by CPU; again: the other way round", Part: partList, on: list, do: sortBy("cpu")},
		{Keys: []string{"M"}, Name: "M", Help: "sort by memory", Part: partList, on: list, do: sortBy("rss")},
		{Keys: []string{"D"}, Name: "D", Help: "sort by reads and writes of storage", Part: partList, on: list, do: sortBy("disk")},
		{Keys: []string{"E"}, Name: "E", Help: "sort by memory on accelerators", Part: partList, on: list, do: sortBy("gpu")},
		{Keys: []string{">", "f6"}, Name: "> F6", Help: "sort by the next column", Part: partList, on: list, do: sortNext(1)},
		{Keys: []string{"<"}, Name: "<", Help: "sort by the column before", Part: partList, on: list, do: sortNext(-1)},
		{Keys: []string{"I"}, Name: "I", Help: "reverse the order", Part: partList, on: list, do: reverse},
		{Keys: []string{"o"}, Name: "o", Help: "hold the order of the rows, and let it go", Part: partList, on: list, do: holdOrder},
		{Keys: []string{"/", "f4"}, Name: "/ F4", Help: "filter: word, user=name, rss>1G, cpu>50, age<10s, a|b, -term, ~regex", Part: partList, Foot: "filter", on: list, do: askFilter},
		{Keys: []string{"ctrl+l"}, Name: "Ctrl-L", Help: "no filter", Part: partList, on: list, do: clearFilter},
		{Keys: []string{"s", "f3"}, Name: "s F3", Help: "search a command or a pid", Part: partList, on: list, do: askSearch},
		{Keys: []string{"n"}, Name: "n", Help: "the next that was searched", Part: partList, on: list, do: searchNext(1)},
		{Keys: []string{"N"}, Name: "N", Help: "the one before", Part: partList, on: list, do: searchNext(-1)},
		{Keys: []string{"a"}, Name: "a", Help: "only those that used something, and all", Part: partList, on: list, do: toggleActive},
		{Keys: []string{"x"}, Name: "x", Help: "hide those that ended, and show them", Part: partList, on: list, do: toggleEnded},

		{Keys: []string{"V", "f5"}, Name: "V F5", Help: "tree, and flat", Part: partList, on: list, do: toggleTree},
		{Keys: []string{"-"}, Name: "-", Help: "fold what is below the row of a tree", Part: partList, on: list, do: fold(false)},
		{Keys: []string{"+", "="}, Name: "+ =", Help: "unfold it", Part: partList, on: list, do: fold(true)},
		{Keys: []string{"*"}, Name: "*", Help: "fold all trees, and unfold them", Part: partList, on: list, do: foldAll},
		{Keys: []string{"g"}, Name: "g", Help: "group by user, command, job, control group, parent, and not", Part: partList, on: list, do: groupNext},
		{Keys: []string{"F"}, Name: "F", Help: "follow the selected process through any filter", Part: partList, on: list, do: follow},
		{Keys: []string{"u"}, Name: "u", Help: "tag the process: the alert line sums up those that are tagged", Part: partList, on: list, do: tag},
		{Keys: []string{"k", "f9"}, Name: "k F9", Help: "signal the process, or those that are tagged, after a question: live, on this machine", Part: partList, on: list, do: askSignal},
		{Keys: []string{"S", "f2"}, Name: "S F2", Help: "choose columns, which is kept", Part: partList, on: list, do: openScreen(columnsScreen)},
	}
}

func timeKeys() []Key {
	return []Key{
		{Keys: []string{"t"}, Name: "t", Help: "the next sample (htop has its tree here)", Part: partTime, do: step(StopSample, false)},
		{Keys: []string{"T"}, Name: "T", Help: "the sample before; it leaves what is live", Part: partTime, Foot: "back", do: step(StopSample, true)},
		{Keys: []string{"j"}, Name: "j", Help: "forward by a span, such as 90s or 5m", Part: partTime, do: askJump(false)},
		{Keys: []string{"J"}, Name: "J", Help: "back by a span", Part: partTime, do: askJump(true)},
		{Keys: []string{"b"}, Name: "b", Help: "go to a time", Part: partTime, do: askTime},
		{Keys: []string{"]"}, Name: "]", Help: "the next death (a signal, out of memory, a code other than 0) or start of an anomaly, whichever comes first", Part: partTime, do: step(StopTrouble, false)},
		{Keys: []string{"["}, Name: "[", Help: "the death or start of an anomaly before", Part: partTime, Foot: "death", do: step(StopTrouble, true)},
		{Keys: []string{"}"}, Name: "}", Help: "the next gap of the record", Part: partTime, do: step(StopHole, false)},
		{Keys: []string{"{"}, Name: "{", Help: "the gap before", Part: partTime, do: step(StopHole, true)},
		{Keys: []string{"space", "z"}, Name: "Space z", Help: "hold what is live, and go on", Part: partTime, do: hold},
		{Keys: []string{"r"}, Name: "r", Help: "replay the past; again: twice as fast, up to 64 times", Part: partTime, do: replayFaster},
		{Keys: []string{"R"}, Name: "R", Help: "half as fast; from 1 on: stop", Part: partTime, do: replaySlower},
		{Keys: []string{","}, Name: ",", Help: "the time before the last move in time", Part: partTime, do: whereIWas},
		{Keys: []string{"."}, Name: ".", Help: "now", Part: partTime, do: goLive},
	}
}

func restKeys() []Key {
	return []Key{
		{Keys: []string{"?", "h", "f1"}, Name: "? h F1", Help: "this help, and back", Part: partRest, Foot: "help", do: showHelp},
		{Keys: []string{"q", "f10", "ctrl+c"}, Name: "q F10 Ctrl-C", Help: "quit", Part: partRest, Foot: "quit", do: quit},
		{Keys: []string{"ctrl+z"}, Name: "Ctrl-Z", Help: "suspend", Part: partRest, do: suspend},
	}
}

// helpLines is how many lines the help has: the keys, and a heading over each part.
func helpLines() int {
	parts := map[string]bool{}
	for _, k := range Keys {
		parts[k.Part] = true
	}
	return len(Keys) + len(parts)
}

// keyFor is the entry of a key that works on a screen; nil when there is none.
func keyFor(key string, on screenName) *Key {
	for i := range Keys {
		k := &Keys[i]
		if slices.Contains(k.Keys, key) && (len(k.on) == 0 || slices.Contains(k.on, on)) {
			return k
		}
	}
	return nil
}

// KeyTable is the table of keys as documents have it: a Markdown table under the heading of each part.
func KeyTable() string {
	var b strings.Builder
	part := ""
	for _, k := range Keys {
		if k.Part != part {
			part = k.Part
			b.WriteString("\n**" + part + "**\n\n| key | what it does |\n|---|---|\n")
		}
		b.WriteString("| `" + strings.ReplaceAll(k.Name, "|", `\|`) + "` | " + strings.ReplaceAll(k.Help, "|", `\|`) + " |\n")
	}
	return b.String() + "\n"
}
