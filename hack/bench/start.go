package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// moments is when something was seen, as seconds since `up` was called.
type moments struct {
	node, kustomization, page float64
	whole                     float64 // until up returned
}

// startSamples are the samples of all runs.
type startSamples struct {
	node, kustomization, page, up []float64
	again                         []float64 // up on a running cluster
	stop, down                    []float64
	kept, keptPage                []float64 // up on kept data
	left                          []float64
}

func measureStart(ctx context.Context, o options, report *Report) error {
	var s startSamples
	for i := range o.runs {
		if err := startRun(ctx, o, i, &s, report); err != nil {
			return err
		}
	}
	part := func(name string, samples []float64) Figure { return figure("start", name, "s", statWorst, samples) }
	report.add(
		part("up, empty state: node Ready", s.node),
		part("up: first Kustomization Ready", s.kustomization).atMost(8),
		part("up: app's page served", s.page).atMost(10),
		part("up: whole command", s.up),
		part("second up", s.again).atMost(1),
		part("down --keep-data", s.stop).atMost(3),
		part("up on kept data: app's page served", s.keptPage),
		part("up on kept data: whole command", s.kept).atMost(8),
		part("down", s.down).atMost(3),
		figure("start", "left behind by down", "", statWorst, s.left).atMost(0),
	)
	return nil
}

func startRun(ctx context.Context, o options, run int, s *startSamples, report *Report) (err error) {
	c, err := newCluster(o, fmt.Sprintf("start-%d", run+1))
	if err != nil {
		return err
	}
	defer c.closing(ctx, &err)
	fresh, err := watchedUp(ctx, c, true)
	if err != nil {
		return err
	}
	o.say("  run %d: node %.2f s, Kustomization %.2f s, page %.2f s, up %.2f s",
		run+1, fresh.node, fresh.kustomization, fresh.page, fresh.whole)
	s.node = append(s.node, fresh.node)
	s.kustomization = append(s.kustomization, fresh.kustomization)
	s.page = append(s.page, fresh.page)
	s.up = append(s.up, fresh.whole)

	again, err := c.up(ctx)
	if err != nil {
		return fmt.Errorf("second up: %w", err)
	}
	s.again = append(s.again, seconds(again))
	stop, err := c.down(ctx, "--keep-data")
	if err != nil {
		return err
	}
	s.stop = append(s.stop, seconds(stop))
	kept, err := watchedUp(ctx, c, false)
	if err != nil {
		return fmt.Errorf("up on kept data: %w", err)
	}
	s.kept = append(s.kept, kept.whole)
	s.keptPage = append(s.keptPage, kept.page)
	down, err := c.down(ctx)
	if err != nil {
		return err
	}
	s.down = append(s.down, seconds(down))
	o.say("  run %d: again %.2f s, stop %.2f s, kept %.2f s, down %.2f s",
		run+1, seconds(again), seconds(stop), kept.whole, seconds(down))

	left := append(leftProcesses(c.home), leftFiles(c.home)...)
	s.left = append(s.left, float64(len(left)))
	if run == 0 { // the next runs will leave the same
		for _, each := range left {
			report.note("left behind by down: %s", each)
		}
	}
	return nil
}

// watchedUp brings the cluster up and watches it from outside while it
// comes. On kept data old states say Ready before anything runs, so only
// the page tells then.
func watchedUp(ctx context.Context, c *cluster, fresh bool) (moments, error) {
	var m moments
	group, ctx := errgroup.WithContext(ctx)
	start := time.Now()
	group.Go(func() error {
		took, err := c.up(ctx)
		m.whole = seconds(took)
		return err
	})
	watching, cancel := context.WithTimeoutCause(ctx, upTimeout, fmt.Errorf("not seen after %s", upTimeout))
	defer cancel()
	moment := func(into *float64, see func() (time.Time, error)) {
		group.Go(func() error {
			at, err := see()
			*into = seconds(at.Sub(start))
			return err
		})
	}
	if fresh {
		moment(&m.node, func() (time.Time, error) { return await(watching, c.kubeconfig(), nodes(), ready) })
		moment(&m.kustomization, func() (time.Time, error) {
			return await(watching, c.kubeconfig(), kustomizations(""), ready)
		})
	}
	moment(&m.page, func() (time.Time, error) {
		url, err := appURL(watching, c.kubeconfig())
		if err != nil {
			return time.Time{}, err
		}
		return awaitPage(watching, url, "")
	})
	err := group.Wait()
	return m, err
}
