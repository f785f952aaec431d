package anomaly

import (
	"errors"
	"fmt"
)

// Rules are rules that were checked. They do not change.
type Rules struct{ list []*compiled }

// Compile checks rules. The error has all that is wrong with them, each with the rule's name.
func Compile(rules []Rule) (*Rules, error) {
	all := &Rules{}
	var errs []error
	seen := map[string]bool{}
	for _, r := range rules {
		j, err := compileRule(r)
		if err == nil && seen[r.Name] {
			err = errors.New("another rule has the same name")
		}
		seen[r.Name] = true
		if err != nil {
			errs = append(errs, fmt.Errorf("rule %q: %w", r.Name, err))
			continue
		}
		if !r.Off {
			all.list = append(all.list, j)
		}
	}
	return all, errors.Join(errs...)
}
