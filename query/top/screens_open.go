package top

// openScreen shows a screen, and asks for what it shows.
func openScreen(to screenName) func(*Model) {
	return func(m *Model) {
		m.screen = to
		askScreen(m)
	}
}

// askScreen asks for what the screen shows besides the frame.
func askScreen(m *Model) {
	at := shown(m)
	switch m.screen {
	case jobsScreen:
		names := []string{}
		if m.jobs != nil {
			for i := range m.jobs.Jobs {
				if name := m.jobs.Jobs[i].JobID; m.unfolded[name] {
					names = append(names, name)
				}
			}
		}
		request(m, AskJobs{at, m.opts.Host, names})
	case storyScreen:
		m.storyOf.At = at
		request(m, m.storyOf)
	case eventsScreen:
		request(m, AskEvents{at, m.opts.Host})
	case detailScreen:
		if m.of.PID != 0 {
			request(m, AskDetail{at, m.of})
		}
	}
}

// openStory shows what is to be told of a process or a run.
func openStory(m *Model, of AskStory) {
	of.Width = m.width - 2
	m.story, m.storyOf, m.storyFrom = nil, of, m.screen
	*cursorOf(m, storyScreen) = tableCursor{}
	openScreen(storyScreen)(m)
}

// openDetail shows what is recorded of a process.
func openDetail(m *Model, id ID) {
	m.of, m.detail = id, nil
	*cursorOf(m, detailScreen) = tableCursor{}
	openScreen(detailScreen)(m)
}

// goToTrouble shows the processes at the time of an event or of the start of an episode, and selects the one that it is about.
func goToTrouble(m *Model, at float64, id ID) {
	m.screen = processesScreen
	goTo(m, at)
	m.cursor.id, m.cursor.pinned, m.cursor.seek = id, true, at
}
