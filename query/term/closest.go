package term

import (
	"slices"
	"strings"
)

// Closest are the names that a word was most likely meant as, the likeliest first; none when it is like no name.
func Closest(word string, names []string) []string {
	var like []string
	most := 2 // letters
	if len(word) < 5 {
		most = 1
	}
	for _, name := range names {
		if name != word && len(word) > 1 && (editDistance(word, name) <= most || strings.HasPrefix(name, word) || sameLetters(word, name)) {
			like = append(like, name)
		}
	}
	slices.SortStableFunc(like, func(a, b string) int { return editDistance(word, a) - editDistance(word, b) })
	return like
}

// editDistance is how many letters must be added, taken away or exchanged to make b of a.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0]++
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// sameLetters reports whether two words have the same letters in another order.
func sameLetters(a, b string) bool {
	x, y := []byte(a), []byte(b)
	slices.Sort(x)
	slices.Sort(y)
	return string(x) == string(y)
}
