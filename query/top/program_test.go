package top

import (
	"fmt"
	"slices"
	"testing"

	tea "charm.land/bubbletea/v2"
)

// The size of the terminal is asked for once more when it has changed: bubbletea looks it up beside its loop, so that of two changes the first may be told
// last. The control: a size that is as it was is not asked for, or it would be for ever.
func TestProgram_AsksForTheSizeAgain(t *testing.T) {
	p := &program{ctx: t.Context(), model: testModel(t, 3), palette: NewPalette(Colours256, false), closed: true}
	size := func(width int) bool {
		_, cmd := p.Update(tea.WindowSizeMsg{Width: width, Height: 30})
		return slices.Contains(messagesOf(cmd), "tea.windowSizeMsg")
	}
	if !size(100) || !size(80) {
		t.Error("a new size is not asked for again")
	}
	if size(80) {
		t.Error("the same size is asked for again")
	}
}

// messagesOf are the types of what a command does at once.
func messagesOf(cmd tea.Cmd) (types []string) {
	if cmd == nil {
		return nil
	}
	switch m := cmd().(type) {
	case tea.BatchMsg:
		for _, c := range m {
			types = append(types, messagesOf(c)...)
		}
	default:
		types = append(types, fmt.Sprintf("%T", m))
	}
	return types
}
