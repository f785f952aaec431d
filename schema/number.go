package schema

// unknown stands for a number that is not known. All that are known are 0 or more.
const unknown = -1

// negative stands for a known number below 0, which no machine has. Validate refuses it.
const negative = -2

func optNumber(v int64) Opt[int64] {
	if v < 0 {
		return Opt[int64]{}
	}
	return Some(v)
}

func orUnknown(o Opt[int64]) int64 {
	switch {
	case !o.Known:
		return unknown
	case o.V < 0:
		return negative
	}
	return o.V
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz"

// Letter returns the letter of a code, as [Process.State] has it; empty for a code of none.
func Letter(v int64) string {
	if v < 'A' || v > 'z' {
		return ""
	}
	return letters[v-'A' : v-'A'+1]
}

func isLetter(v int64) bool { return uint64(v|0x20-'a') < 26 }

// letterNumber is the code of a text of one letter, and unknown for any other.
func letterNumber(s string) int64 {
	if !letter(s) {
		return unknown
	}
	return int64(s[0])
}

// flagNumber is 1 for true, and unknown for false: most columns of flags have none that is set.
func flagNumber(set bool) int64 {
	if set {
		return 1
	}
	return unknown
}
