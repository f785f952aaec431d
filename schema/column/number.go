package column

// Unknown stands among values for one that is not known.
const Unknown = -1

// largest bounds what is read, so that no sum of two overflows.
const largest = 1 << 60
