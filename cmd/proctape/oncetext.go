package main

import "errors"

// onceText is a flag that may have one value: of two the first would be passed over in silence. Completion sets it again to what it is.
type onceText struct {
	to    *string
	given bool
}

// String is the text as it was given.
func (f *onceText) String() string {
	if f.to == nil {
		return ""
	}
	return *f.to
}

// Type is what help and errors call it.
func (f *onceText) Type() string { return "string" }

// Set takes the text.
func (f *onceText) Set(s string) error {
	if f.given && *f.to != s {
		return errors.New("it is given twice: an answer is of one database")
	}
	*f.to, f.given = s, true
	return nil
}
