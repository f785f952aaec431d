package scrub

// textScrubber has no words of the user, so that a text comes out the same wherever it is scrubbed.
var textScrubber = New(Scrubbed)

// maxRounds bounds how often Text masks what it masked.
const maxRounds = 4

// Text returns a text that people write, such as a job's name or status, with what looks like a secret masked. It
// depends on the text alone, and the text that it returns stays as it is: names may be compared after it.
func Text(text string) string {
	for range maxRounds {
		masked := textScrubber.Command("", []string{text})
		if masked == text {
			break
		}
		text = masked
	}
	return text
}
