package scrub

// shapeMarker masks the secrets in a line that are known by how they look.
type shapeMarker struct {
	*line
	seen int // up to here markToken knows the text
}
