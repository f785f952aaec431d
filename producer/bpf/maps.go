package bpf

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cilium/ebpf"
)

// perCall is how many entries of a map go over in one system call.
const perCall = 1024

// all are the entries of a map of the kernel.
func all[K comparable, V any](m *ebpf.Map) (map[K]V, error) {
	found := map[K]V{}
	keys, values := make([]K, perCall), make([]V, perCall)
	var cursor ebpf.MapBatchCursor
	for {
		n, err := m.BatchLookup(&cursor, keys, values, nil)
		for i := range n {
			found[keys[i]] = values[i]
		}
		switch {
		case errors.Is(err, ebpf.ErrKeyNotExist):
			return found, nil
		case err != nil:
			return nil, fmt.Errorf("read map %s: %w", m, err)
		}
	}
}

// deleteAll deletes entries of a map of the kernel.
func deleteAll[K comparable](m *ebpf.Map, keys []K) error {
	for _, key := range keys {
		if err := m.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("delete of map %s: %w", m, err)
		}
	}
	return nil
}

// empty deletes all entries of a map of the kernel.
func empty[K comparable, V any](m *ebpf.Map) error {
	found, err := all[K, V](m)
	return errors.Join(err, deleteAll(m, slices.Collect(maps.Keys(found))))
}
