package query

// Proven says how far a database is known to be what was written. All times are Unix seconds.
type Proven struct {
	// Until is when the last full check of all pages began that found them sound: what was committed by then was right then. Nil when
	// there was none, and while there is damage that is not mended.
	Until *float64 `json:"proven_until"`
	// LastPass is when that check ended.
	LastPass *float64 `json:"last_full_pass"`
	// DamageSeen is when damage was noticed that is not mended yet; nil when there is none. Damaged is of how many pages.
	DamageSeen *float64 `json:"damage_seen,omitempty"`
	Damaged    int64    `json:"damaged_pages,omitzero"`
}
