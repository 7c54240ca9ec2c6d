package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// Report is everything that one run of bench has measured.
type Report struct {
	Started time.Time `json:"started"`
	Machine Machine   `json:"machine"`
	Parts   []string  `json:"parts"`
	Figures []Figure  `json:"figures"`
	Notes   []string  `json:"notes,omitempty"`
}

// Figure is one measured figure and what it should be.
type Figure struct {
	Part string `json:"part"`
	Name string `json:"name"`
	Unit string `json:"unit"` // s, ms, MB, %, x, or empty for a count
	// Statistic says which of the samples Value is: worst, p50, p99, ...
	Statistic string  `json:"statistic"`
	Value     float64 `json:"value"`
	// Median is shown beside Value if that is the worst of several.
	Median  float64   `json:"median"`
	Worst   float64   `json:"worst"`
	Samples []float64 `json:"samples,omitempty"`
	// Limit is what Value may be at most, or has to be below if Below is
	// set. A figure without one is there to compare with.
	Limit *float64 `json:"limit,omitempty"`
	Below bool     `json:"below,omitempty"`
	Met   *bool    `json:"met,omitempty"`
}

// The statistics that a figure's value can be.
const (
	statWorst  = "worst"
	statMedian = "median"
	statP50    = "p50"
	statP99    = "p99"
	statOnce   = "once"
)

// figure makes a figure of samples.
func figure(part, name, unit, statistic string, samples []float64) Figure {
	f := Figure{
		Part: part, Name: name, Unit: unit, Statistic: statistic, Samples: samples,
		Median: median(samples), Worst: worst(samples),
	}
	switch statistic {
	case statMedian, statP50:
		f.Value = f.Median
	case statP99:
		f.Value = percentile(samples, 99)
	default:
		f.Value = f.Worst
	}
	return f
}

// atMost returns the figure with a target.
func (f Figure) atMost(limit float64) Figure {
	met := f.Value <= limit
	f.Limit, f.Met = &limit, &met
	return f
}

// below returns the figure with a target that it has to stay under.
func (f Figure) below(limit float64) Figure {
	met := f.Value < limit
	f.Limit, f.Met, f.Below = &limit, &met, true
	return f
}

func (r *Report) add(figures ...Figure) { r.Figures = append(r.Figures, figures...) }

func (r *Report) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// Missed reports whether a target was missed.
func (r *Report) Missed() bool {
	for _, f := range r.Figures {
		if f.Met != nil && !*f.Met {
			return true
		}
	}
	return false
}

// WriteJSON writes the report as JSON.
func (r *Report) WriteJSON(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// width is what a slide or a mail shows without wrapping.
const width = 72

// WriteTable writes the report for people, in lines of 72 columns at most.
func (r *Report) WriteTable(out io.Writer) {
	for _, line := range r.Machine.lines() {
		fmt.Fprintln(out, clip(line, width))
	}
	fmt.Fprintf(out, "measured %s\n\n", r.Started.Format("2006-01-02 15:04 UTC"))
	row := func(name, target, measured, verdict string) {
		line := fmt.Sprintf("%-36s %10s %19s %4s", clip(name, 36), target, clip(measured, 19), verdict)
		fmt.Fprintln(out, strings.TrimRight(line, " "))
	}
	row("FIGURE", "TARGET", "MEASURED", "")
	part := ""
	for _, f := range r.Figures {
		if part != f.Part && part != "" {
			fmt.Fprintln(out)
		}
		part = f.Part
		row(f.Name, f.target(), f.measured(), f.verdict())
	}
	if len(r.Notes) > 0 {
		fmt.Fprintln(out)
	}
	for _, note := range r.Notes {
		for i, line := range wrap(note, width-2) {
			fmt.Fprintln(out, []string{"- ", "  "}[min(i, 1)]+line)
		}
	}
}

func (f Figure) target() string {
	switch {
	case f.Limit == nil:
		return "-"
	case f.Below:
		return "< " + amount(*f.Limit, f.Unit)
	default:
		return "<= " + amount(*f.Limit, f.Unit)
	}
}

func (f Figure) measured() string {
	if f.Statistic == statWorst && len(f.Samples) > 1 {
		return fmt.Sprintf("%s, worst %s", number(f.Median, f.Unit), amount(f.Worst, f.Unit))
	}
	return amount(f.Value, f.Unit)
}

func (f Figure) verdict() string {
	switch {
	case f.Met == nil:
		return ""
	case *f.Met:
		return "ok"
	default:
		return "over"
	}
}

func amount(value float64, unit string) string {
	return strings.TrimSpace(number(value, unit) + " " + unit)
}

func number(value float64, unit string) string {
	switch unit {
	case "", "MB", "ms":
		return fmt.Sprintf("%.0f", value)
	case "%":
		return fmt.Sprintf("%.1f", value)
	default:
		return fmt.Sprintf("%.2f", value)
	}
}

// clip cuts a line that is too long.
func clip(line string, columns int) string {
	if runes := []rune(line); len(runes) > columns {
		return string(runes[:columns-1]) + "…"
	}
	return line
}

// wrap breaks text into lines between words. A word that is longer than a
// line, such as a path, gets a line of its own and is not cut.
func wrap(text string, columns int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case len([]rune(line))+1+len([]rune(word)) <= columns:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	return append(lines, line)
}
