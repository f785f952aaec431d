package fold

import (
	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// anomalies are what rules find.
type anomalies interface {
	// told adds what a message tells of an episode.
	told(to place, m *schema.Message)
}

// found implements [anomalies].
type found struct{}

// told implements [anomalies].
func (found) told(to place, m *schema.Message) {
	to.batch.Anomalies = append(to.batch.Anomalies, store.Anomaly{ID: to.rowID, HostID: to.hostID, Message: m})
}
