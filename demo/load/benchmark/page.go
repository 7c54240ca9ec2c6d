package benchmark

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"slices"

	"github.com/fluxdemo/fluxdemo/demo/load/chart"
)

//go:embed page.html
var pageText string

// HTML is the report as a page that stands for itself: nothing is loaded.
func (r *Report) HTML() ([]byte, error) {
	page, err := template.New("report").Funcs(template.FuncMap{
		"seconds": seconds,
		"mb":      func(bytes int64) string { return fmt.Sprintf("%.0f", float64(bytes)/1e6) },
		"per":     func(r *Trial) string { return fmt.Sprintf("%.2f s", r.CPU()/float64(max(r.Plan.Quiet, 1))) },
		"mean":    func(sum float64, n uint64) string { return fmt.Sprintf("%.3f s", sum/float64(max(n, 1))) },
		"percent": func(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) },
		"charts":  charts,
		"latency": latency,
	}).Parse(pageText)
	if err != nil {
		return nil, fmt.Errorf("reading the report's template: %w", err)
	}
	var b bytes.Buffer
	if err := page.Execute(&b, r); err != nil {
		return nil, fmt.Errorf("making the report's page: %w", err)
	}
	return b.Bytes(), nil
}

const chartWidth, chartHeight = 560, 220

// charts draws how things went over a run's time.
func charts(r *Trial) []template.HTML {
	ready := chart.Series{Name: "ready"}
	memory := chart.Series{Name: "all components"}
	depth := map[string]*chart.Series{}
	for _, s := range r.Samples {
		ready.Points = append(ready.Points, chart.Point{At: s.At, Value: float64(s.Ready)})
		memory.Points = append(memory.Points, chart.Point{At: s.At, Value: float64(s.Memory) / 1e9})
		for app, n := range s.Depth {
			if depth[app] == nil {
				depth[app] = &chart.Series{Name: app}
			}
			depth[app].Points = append(depth[app].Points, chart.Point{At: s.At, Value: float64(n)})
		}
	}
	queues := chart.Chart{Title: "Waiting for a worker"}
	for _, app := range slices.Sorted(maps.Keys(depth)) {
		queues.Series = append(queues.Series, *depth[app])
	}
	var all []template.HTML
	for _, c := range []chart.Chart{
		{Title: "Kustomizations ready", Series: []chart.Series{ready}},
		queues,
		{Title: "Memory", Unit: " GB", Series: []chart.Series{memory}},
	} {
		all = append(all, template.HTML(c.SVG(chartWidth, chartHeight))) //nolint:gosec // chart escapes all text
	}
	return all
}

// latency compares a neighbour's waits, calm and crowded, in a sentence; "" if they were not measured.
func latency(r *Trial) string {
	if r.Crowded.Count == 0 || r.Calm.P99 == 0 {
		return ""
	}
	return fmt.Sprintf("With the heavy tenants there, a neighbour's p99 is %.1f times what it was.", r.Crowded.P99/r.Calm.P99)
}
