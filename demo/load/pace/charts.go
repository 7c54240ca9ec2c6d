package pace

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/load/chart"
	"github.com/fluxdemo/fluxdemo/demo/shard"
)

// window is how much of the past is shown.
const window = 3 * time.Minute

// Charts returns two charts of the last minutes: how long the Kustomization
// has waited, against what was promised, and the controllers' queues. slo is 0
// if nothing was promised.
func (p *Pace) Charts(now time.Time, slo time.Duration) []chart.Chart {
	sum := p.Percentiles()
	p.mu.Lock()
	defer p.mu.Unlock()
	begin := now.Add(-window)
	at := func(t time.Time) float64 { return t.Sub(begin).Seconds() }

	waits := chart.Series{Name: "not yet", Points: []chart.Point{{At: 0}}}
	if sum.Count > 0 {
		waits.Name = fmt.Sprintf("p50 %.1f s, p99 %.1f s", sum.P50, sum.P99)
	}
	for _, w := range p.waits {
		end := w.Answered
		if end.IsZero() {
			end = now
		}
		if end.Before(begin) {
			continue
		}
		if w.Asked.After(begin) {
			waits.Points = append(waits.Points, chart.Point{At: at(w.Asked)})
		}
		waits.Points = append(waits.Points, chart.Point{At: at(end), Value: w.Took(now).Seconds()})
		if !w.Answered.IsZero() {
			waits.Points = append(waits.Points, chart.Point{At: at(end)})
		}
	}
	if last := len(p.waits) - 1; last < 0 || !p.waits[last].Answered.IsZero() {
		waits.Points = append(waits.Points, chart.Point{At: window.Seconds()})
	}
	waited := chart.Chart{Title: p.name.Name + " waits", Unit: " s", Series: []chart.Series{waits}}
	if slo > 0 {
		waited.Limit, waited.LimitName = slo.Seconds(), fmt.Sprintf("SLO %s", slo)
	}

	depth := map[string]*chart.Series{}
	for _, q := range p.queues {
		if q.at.Before(begin) {
			continue
		}
		for app, n := range q.depth {
			if depth[app] == nil {
				depth[app] = &chart.Series{Name: shardOf(app)}
			}
			depth[app].Points = append(depth[app].Points, chart.Point{At: at(q.at), Value: float64(n)})
		}
	}
	queued := chart.Chart{Title: "Waiting for a worker"}
	for _, app := range slices.Sorted(maps.Keys(depth)) {
		queued.Series = append(queued.Series, *depth[app])
	}
	return []chart.Chart{waited, queued}
}

// shardOf is the name of the shard of a kustomize-controller.
func shardOf(app string) string {
	if _, shard, ok := strings.Cut(app, "kustomize-controller-"); ok {
		return shard
	}
	return shard.Main
}

// Line returns the last seconds as blocks, one for each second, as high as the
// longest wait in it. What is at top is as high as can be.
func (p *Pace) Line(now time.Time, width int, top time.Duration) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	values := make([]float64, width)
	begin := now.Add(-time.Duration(width) * time.Second)
	for _, w := range p.waits {
		end := w.Answered
		if end.IsZero() {
			end = now
		}
		for i := range values {
			from := begin.Add(time.Duration(i) * time.Second)
			to := from.Add(time.Second)
			if w.Asked.Before(to) && !end.Before(from) {
				if end.Before(to) {
					to = end
				}
				values[i] = max(values[i], to.Sub(w.Asked).Seconds())
			}
		}
	}
	return chart.Spark(values, width, top.Seconds())
}
