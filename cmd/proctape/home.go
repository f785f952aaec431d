package main

import (
	"os"
	"path/filepath"
	"strings"
)

// expandHome replaces a leading ~ by the user's home folder.
func expandHome(path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "~")
	if !ok || rest != "" && rest[0] != '/' {
		return path, nil
	}
	home := os.Getenv("HOME")
	if !filepath.IsAbs(home) {
		return path, hinted(misuse("%s: HOME is not the path of a folder", path), "write the whole path, or set HOME")
	}
	return home + rest, nil
}
