package bundle

import "fmt"

// manifestTable is the table with the manifest: one row, the manifest as JSON and its sum.
const manifestTable = "bundle"

// Table is a table of a bundle.
type Table struct {
	Name string `json:"table"`
	Rows int64  `json:"rows"`
	Sum  string `json:"sha256"` // of its rows, in the order of their keys
}

// TamperedError says what of a bundle is not as it was made.
type TamperedError struct {
	What string // such as "table process_events"
	How  string
}

func (e *TamperedError) Error() string {
	return fmt.Sprintf("%s is not as it was made: %s", e.What, e.How)
}
