package top

import (
	"testing"

	"github.com/proctape/proctape/query/term"
)

func TestText_FiguresKeepTheirWidth(t *testing.T) {
	for _, c := range []struct {
		got, want string
		width     int
	}{
		{percentText(0), "0.0", 5}, {percentText(99.95), "100.0", 5}, {percentText(598.3), "598.3", 5}, {percentText(999.96), "1000", 5}, {percentText(25600), "25600", 5},
		{sizeText(0), "0", 5}, {sizeText(0.5), "512K", 5}, {sizeText(1), "1M", 5}, {sizeText(1.31), "1.31M", 5}, {sizeText(7914), "7.73G", 5}, {sizeText(999.6), "0.98G", 5},
		{sizeText(1 << 30), "1P", 5}, {sizeText(102400.4), "100G", 5}, {sizeText(0.999 / 1024), "1.00K", 5},
		{spanText(0.42), "0.42s", 6}, {spanText(59.9), "1m00s", 6}, {spanText(382), "6m22s", 6}, {spanText(47220), "13h07m", 6}, {spanText(792000), "9d04h", 6}, {spanText(3599.6), "1h00m", 6},
		{countText(99999), "99999", 6}, {countText(2.1e6), "2100k", 6}, {countText(123456), "123k", 6}, {countText(1e15), "1000T", 6},
	} {
		if c.got != c.want || term.Width(c.got) > c.width {
			t.Errorf("got %q, want %q in %d cells", c.got, c.want, c.width)
		}
	}
}
