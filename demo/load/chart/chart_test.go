package chart

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestSVG(t *testing.T) {
	for name, c := range map[string]Chart{
		"nothing": {},
		"one point at the beginning": {
			Title: "Ready", Series: []Series{{Name: "quiet", Points: []Point{{0, 0}}}},
		},
		"lines, a limit, and words that are markup": {
			Title: "p99 <b>", Unit: "s", Limit: 5, LimitName: "SLO & more",
			Series: []Series{{Name: "before", Points: []Point{{0, 1}, {10, 30}}}, {Name: "after", Points: []Point{{0, 1}, {60, 12_000}}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			svg := c.SVG(480, 200)
			var text strings.Builder
			lines := 0
			for decoder := xml.NewDecoder(strings.NewReader(svg)); ; {
				token, err := decoder.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("%v\n%s", err, svg)
				}
				switch token := token.(type) {
				case xml.CharData:
					text.Write(token)
				case xml.StartElement:
					if token.Name.Local == "polyline" {
						lines++
					}
				}
			}
			if lines != len(c.Series) {
				t.Errorf("%d lines for %d series", lines, len(c.Series))
			}
			for _, word := range []string{c.Title, c.LimitName} {
				if !strings.Contains(text.String(), word) {
					t.Errorf("%q is not to be read in %q", word, text.String())
				}
			}
			if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
				t.Errorf("not a number: %s", svg)
			}
		})
	}
}

func TestSpark(t *testing.T) {
	for _, test := range []struct {
		values []float64
		width  int
		top    float64
		want   string
	}{
		{nil, 5, 1, ""},
		{[]float64{0, 1, 2, 3, 4, 5, 6, 7, 8, 99}, 20, 8, "▁▂▃▄▅▆▇███"},
		{[]float64{1, 2, 3}, 2, 4, "▅▇"},
		{[]float64{1, -1}, 2, 0, "▁▁"},
	} {
		if got := Spark(test.values, test.width, test.top); got != test.want {
			t.Errorf("Spark(%v, %d, %v) = %q, want %q", test.values, test.width, test.top, got, test.want)
		}
	}
}
