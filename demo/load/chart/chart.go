// Package chart draws time series: as an SVG picture for pages and reports,
// and as one line of blocks for terminals.
package chart

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// Point is a value at a time, in seconds since the chart begins.
type Point struct {
	At    float64 `json:"at"`
	Value float64 `json:"value"`
}

// Series is one line of a chart. Its points are in the order of time.
type Series struct {
	Name   string  `json:"name"`
	Points []Point `json:"points"`
}

// Chart is a few lines over the same time.
type Chart struct {
	Title  string
	Unit   string // of the values, such as "s"
	Series []Series
	// Limit is drawn as a dashed line across, with its name, if it has one.
	Limit     float64
	LimitName string
}

// Sizes in the picture's own units.
const (
	left, right, top, bottom = 46, 12, 40, 26
	tick                     = 4
)

// palette has colours that differ for those who do not see red and green
// apart, too (Okabe and Ito).
func palette(n int) string {
	colours := []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"}
	return colours[n%len(colours)]
}

// SVG returns the chart as an SVG element of that size, with its words as
// text. It has no style but attributes, and takes the colour of the text
// around it.
func (c Chart) SVG(width, height int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s" font-family="sans-serif" font-size="11" fill="currentColor">`,
		width, height, html.EscapeString(c.summary()))
	fmt.Fprintf(&b, `<text x="%d" y="14" font-size="13" font-weight="bold">%s</text>`, left, html.EscapeString(c.Title))
	end, highest := c.extent()
	step := niceStep(highest, 4)
	highest = math.Ceil(highest/step) * step
	w, h := float64(width-left-right), float64(height-top-bottom)
	x := func(at float64) float64 { return left + at/end*w }
	y := func(value float64) float64 { return top + (1-min(value, highest)/highest)*h }

	for value := 0.0; value <= highest*1.0001; value += step {
		fmt.Fprintf(&b, `<line x1="%d" x2="%.0f" y1="%.1f" y2="%.1f" stroke="currentColor" stroke-opacity=".15"/>`, left, left+w, y(value), y(value))
		fmt.Fprintf(&b, `<text x="%d" y="%.1f" text-anchor="end">%s</text>`, left-tick, y(value)+tick, html.EscapeString(short(value)+c.Unit))
	}
	for at, each := 0.0, niceStep(end, 6); at <= end*1.0001; at += each {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`, x(at), height-bottom+14, short(at)+"s")
	}
	if c.LimitName != "" && c.Limit <= highest {
		fmt.Fprintf(&b, `<line x1="%d" x2="%.0f" y1="%.1f" y2="%.1f" stroke="currentColor" stroke-dasharray="5 4"/>`, left, left+w, y(c.Limit), y(c.Limit))
		fmt.Fprintf(&b, `<text x="%.0f" y="%.1f" text-anchor="end">%s</text>`, left+w, y(c.Limit)-tick, html.EscapeString(c.LimitName))
	}
	for i, series := range c.Series {
		fmt.Fprintf(&b, `<text x="%d" y="30" fill="%s">%s</text>`, left+i*(width-left)/max(len(c.Series), 3), palette(i), html.EscapeString("● "+series.Name))
		var line strings.Builder
		for _, p := range series.Points {
			fmt.Fprintf(&line, "%.1f,%.1f ", x(p.At), y(p.Value))
		}
		fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2" stroke-linejoin="round"/>`, strings.TrimSpace(line.String()), palette(i))
	}
	b.WriteString("</svg>")
	return b.String()
}

// summary is the chart for those who cannot see it.
func (c Chart) summary() string {
	text := c.Title
	for _, s := range c.Series {
		if n := len(s.Points); n > 0 {
			text += fmt.Sprintf("; %s at the end %s%s", s.Name, short(s.Points[n-1].Value), c.Unit)
		}
	}
	return text
}

// extent returns the last time and the highest value, neither of them 0.
func (c Chart) extent() (end, highest float64) {
	highest = c.Limit
	for _, s := range c.Series {
		for _, p := range s.Points {
			end, highest = max(end, p.At), max(highest, p.Value)
		}
	}
	if end <= 0 {
		end = 1
	}
	if highest <= 0 {
		highest = 1
	}
	return end, highest
}

// niceStep divides what into about n steps of 1, 2 or 5 times a power of ten.
func niceStep(what float64, n int) float64 {
	raw := what / float64(n)
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, factor := range []float64{1, 2, 5} {
		if raw <= factor*power {
			return factor * power
		}
	}
	return 10 * power
}

func short(value float64) string {
	if value >= 10_000 {
		return strconv.FormatFloat(value/1000, 'f', -1, 64) + "k"
	}
	return strconv.FormatFloat(math.Round(value*100)/100, 'f', -1, 64)
}

// Spark returns the last values as blocks of eight heights, at most width of
// them. What is at top or above is as high as can be.
func Spark(values []float64, width int, top float64) string {
	const blocks = "▁▂▃▄▅▆▇█"
	runes := []rune(blocks)
	if len(values) > width {
		values = values[len(values)-width:]
	}
	var b strings.Builder
	for _, value := range values {
		level := 0
		if top > 0 && value > 0 {
			level = min(int(value/top*float64(len(runes))), len(runes)-1)
		}
		b.WriteRune(runes[level])
	}
	return b.String()
}
