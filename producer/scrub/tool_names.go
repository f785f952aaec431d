package scrub

import "strings"

// toolNamed returns what is known of the program with this base name, or nil.
func toolNamed(base string) *tool {
	if t, ok := toolByName[base]; ok {
		return t
	}
	return nil
}

// toolByName is built once and only read.
var toolByName = func() map[string]*tool {
	byName := make(map[string]*tool)
	for _, family := range toolFamilies {
		for _, name := range family.names {
			byName[name] = &family.tool
		}
	}
	return byName
}()

// programName returns the base name of a program, without the dash of a login shell.
func programName(text string) string {
	name := text[strings.LastIndexByte(text, '/')+1:]
	return strings.TrimSuffix(strings.TrimPrefix(name, "-"), ".exe")
}
