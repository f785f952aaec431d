package top

import (
	"github.com/proctape/proctape/query/term"
)

// helpView is the table of keys, of which a part fits on a small screen.
func helpView(m *Model) []line {
	var all []line
	part := ""
	for _, k := range Keys {
		if k.Part != part {
			part = k.Part
			all = append(all, line{{" " + part, heading}})
		}
		all = append(all, line{{"   " + term.Pad(k.Name, 14, false), accent}, {k.Help, plain}})
	}
	room := m.height - footLines
	top := max(0, min(m.helpTop, len(all)-room))
	return all[top:min(len(all), top+room)]
}
