package store

import (
	"crypto/sha256"
	"fmt"
)

// Host is a row of hosts.
type Host struct {
	ID   int64
	Name string
}

// HostID returns a host's id, which is the same in every database: 48 bits of the SHA-256 of its name.
func HostID(name string) int64 {
	sum := sha256.Sum256([]byte(name))
	var id int64
	for _, b := range sum[:6] {
		id = id<<8 | int64(b)
	}
	return id
}

// Boot is a row of boots: a boot of a host that was not seen before.
type Boot struct {
	HostID int64
	BootID string
}

func writeHosts(tx *Tx, hosts []Host, boots []Boot) error {
	err := execAll(tx, hosts, `INSERT INTO hosts(id, name) VALUES (?, ?) ON CONFLICT(id) DO NOTHING`,
		func(h *Host) []any { return []any{h.ID, h.Name} })
	if err != nil {
		return fmt.Errorf("store a host: %w", err)
	}
	err = execAll(tx, boots, `INSERT INTO boots(host_id, boot_id) VALUES (?,?)`, func(n *Boot) []any { return []any{n.HostID, n.BootID} })
	if err != nil {
		return fmt.Errorf("store a boot of a host: %w", err)
	}
	return nil
}
