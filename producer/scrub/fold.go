package scrub

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A folding maps the bytes of a folded text to those of the text it was made from.
type folding struct {
	original string
	offsets  []int32 // where each folded byte comes from; one more for the end
}

// fold returns text as it is read rather than as it is written: without invisible characters and accents, with
// ASCII for the characters of other alphabets and widths that look like it. Rules are for the folded text.
// A text of ASCII alone is returned as it is, with no folding.
func fold(text string) (string, *folding) {
	if isASCII(text) {
		return text, nil
	}
	var b strings.Builder
	b.Grow(len(text))
	f := &folding{original: text, offsets: make([]int32, 0, len(text)+1)}
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch c := foldRune(r); {
		case size == 1: // ASCII, or no UTF-8
			b.WriteByte(text[i])
		case c == dropped:
		default:
			b.WriteRune(c)
		}
		for len(f.offsets) < b.Len() {
			f.offsets = append(f.offsets, int32(i))
		}
		i += size
	}
	f.offsets = append(f.offsets, int32(len(text)))
	return b.String(), f
}

// positionIn returns where in the folded text the byte of the original one at i, or the first visible one behind it, is.
func (f *folding) positionIn(i int) int {
	low, high := 0, len(f.offsets)-1
	for low < high {
		if middle := (low + high) / 2; int(f.offsets[middle]) < i {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// dropped is what foldRune returns for a character that nobody sees.
const dropped = -1

// foldRune returns what a reader takes r for, or dropped.
func foldRune(r rune) rune {
	switch {
	case r < utf8.RuneSelf:
		return r
	case '！' <= r && r <= '～': // full width
		return r - '！' + '!'
	case 0x1D400 <= r && r <= 0x1D6A3: // mathematical letters, in alphabets of 52
		i := (r - 0x1D400) % 52
		if i < 26 {
			return 'A' + i
		}
		return 'a' + i - 26
	case unicode.In(r, unicode.Cf, unicode.Mn) || r == 'ᅟ' || r == 'ᅠ' || r == 'ㅤ' || r == 'ﾠ':
		return dropped
	case unicode.In(r, unicode.Zs, unicode.Zl, unicode.Zp):
		return ' '
	case unicode.Is(unicode.Pd, r):
		return '-'
	}
	if c, ok := lookAlikes[r]; ok {
		return c
	}
	return r
}

// lookAlikes maps accented letters, and letters and signs that are drawn like ASCII, to ASCII.
var lookAlikes = func() map[rune]rune {
	byRune := make(map[rune]rune)
	for _, row := range [...]string{
		"aàáâãäåāăąǎạảấầẩẫậắằẳẵặаαɑ", "AÀÁÂÃÄÅĀĂĄǍẠẢẤẦẨẪẬẮẰẲẴẶАΑ", "bЬ", "BВΒ", "cçćĉċčсϲⅽ", "CÇĆĈĊČСⅭ", "dďđðḍԁⅾ", "DĎĐÐḌⅮ",
		"eèéêëēĕėęěẹẻẽếềểễệеё", "EÈÉÊËĒĔĖĘĚẸẺẼẾỀỂỄỆЕЁΕ", "gĝğġģǧɡ", "GĜĞĠĢǦ", "hĥħһ", "HĤĦНΗ", "iìíîïĩīĭįıǐịỉіⅰι", "IÌÍÎÏĨĪĬĮİǏỊỈІⅠΙ",
		"jĵј", "JĴЈ", "kķĸκ", "KĶКΚ", "lĺļľŀłⅼ", "LĹĻĽĿŁⅬ", "mⅿ", "MМΜⅯ", "nñńņňŉŋ", "NÑŃŅŇŊΝ", "oòóôõöøōŏőǒọỏốồổỗộơớờởỡợоο",
		"OÒÓÔÕÖØŌŎŐǑỌỎỐỒỔỖỘƠỚỜỞỠỢОΟ", "pр", "PРΡ", "qԛ", "rŕŗřṛ", "RŔŖŘṚ", "sśŝşšșṣѕ", "SŚŜŞŠȘṢЅ", "tţťŧțṭ", "TŢŤŦȚṬТΤ",
		"uùúûüũūŭůűųǔụủưứừửữự", "UÙÚÛÜŨŪŬŮŰŲǓỤỦƯỨỪỬỮỰ", "vѵⅴ", "VⅤ", "wŵẁẃẅẇẉԝ", "WŴẀẂẄ", "xхⅹ", "XХΧⅩ", "yýÿŷỳỵỷỹу", "YÝŶŸỲỴỶỸΥ", "zźżž", "ZŹŻŽΖ",
		"'‘’‚‛′", `"“”„‟″«»`, "-−﹣", "=﹦꞊", ":﹕∶꞉ː", ";;", "/⁄∕", "@﹫",
	} {
		ascii, rest := rune(row[0]), row[1:]
		for _, r := range rest {
			byRune[r] = ascii
		}
	}
	return byRune
}()
