package main

import "github.com/proctape/proctape/query/term"

// didYouMean asks whether a word was meant as the name that is most like it, each shown with a lead; empty when there is none like it.
func didYouMean(lead, word string, names []string) string {
	like := term.Closest(word, names)
	if len(like) == 0 {
		return ""
	}
	return "did you mean " + lead + printable(like[0]) + "? "
}
