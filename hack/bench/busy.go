package main

import (
	"context"
	"fmt"

	"github.com/fluxdemo/fluxdemo/hack/churn"
)

// measureBusy brings a cluster up and removes it, again and again, beside a
// program that opens and closes connections as fast as it can. A run that fails
// is counted, and does not end the others.
func measureBusy(ctx context.Context, o options, report *Report) error {
	stop := churn.Start()
	defer stop()
	var took []float64
	failed := 0
	for i := range o.runs {
		up, err := busyRun(ctx, o, i)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			failed++
			report.note("busy, run %d: %s", i+1, firstLine(err))
			o.say("  run %d: %v", i+1, err)
			continue
		}
		took = append(took, up)
		o.say("  run %d: up %.2f s", i+1, up)
	}
	count := stop()
	report.note("Beside the runs of busy, a program opened and closed %d connections and %d listeners.", count.Connections, count.Listeners)
	report.add(figure("busy", fmt.Sprintf("up that failed, of %d", o.runs), "", statOnce, []float64{float64(failed)}).atMost(0))
	if len(took) > 0 {
		report.add(figure("busy", "up beside many connections", "s", statWorst, took))
	}
	return nil
}

func busyRun(ctx context.Context, o options, run int) (took float64, err error) {
	c, err := newCluster(o, fmt.Sprintf("busy-%d", run+1))
	if err != nil {
		return 0, err
	}
	defer c.closing(ctx, &err)
	up, err := c.up(ctx)
	if err != nil {
		return 0, err
	}
	_, err = c.down(ctx)
	return seconds(up), err
}
