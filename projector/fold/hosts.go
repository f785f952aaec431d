package fold

import (
	"strings"

	"github.com/proctape/proctape/projector/store"
)

// hosts are the ids of the hosts whose rows are stored or in the batch, by name.
type hosts map[string]int64

// id returns the id of a host, and adds its row to the batch at first sight.
func (h hosts) id(name string, batch *store.Batch) int64 {
	id, ok := h[name]
	if !ok {
		id, name = store.HostID(name), strings.Clone(name)
		h[name] = id
		batch.Hosts = append(batch.Hosts, store.Host{ID: id, Name: name})
	}
	return id
}
