package scrub

import "os"

// soak makes the tests try every value in every template.
var soak = os.Getenv("PROCTAPE_SOAK") != ""
