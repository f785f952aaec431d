package query

import "sync"

// mostKept is how many values are kept: those of some pictures.
const mostKept = 64

// keptValues keeps values that take long to work out, by all that they are made of.
type keptValues struct {
	mu  sync.Mutex
	all map[any]*keptValue
}

// keptValue is one value. Who holds the lock works it out; others that want it wait.
type keptValue struct {
	mu    sync.Mutex
	value any // nil until it is known
}

// get returns the value of a key, which is worked out unless it is kept.
func (k *keptValues) get(key any, workOut func() (any, error)) (any, error) {
	v := k.place(key)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.value == nil {
		value, err := workOut()
		if err != nil {
			return nil, err
		}
		v.value = value
	}
	return v.value, nil
}

// place is where a value is kept.
func (k *keptValues) place(key any) *keptValue {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all == nil || len(k.all) >= mostKept && k.all[key] == nil {
		k.all = map[any]*keptValue{}
	}
	if k.all[key] == nil {
		k.all[key] = &keptValue{}
	}
	return k.all[key]
}
