package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fluxdemo/fluxdemo/demo/object"
)

// pushSamples are the samples of a row of pushes, in seconds. From is the
// call of `git push`; Accepted is its return, when the Git host has the
// commit for certain.
type pushSamples struct {
	push, artifact, applied, page []float64 // from the call
	appliedAccepted, pageAccepted []float64 // from the return
}

func measurePush(ctx context.Context, o options, report *Report) error {
	ours, err := pushToCluster(ctx, o)
	if err != nil {
		return fmt.Errorf("on the cluster: %w", err)
	}
	row := func(name, statistic string, samples []float64) Figure {
		return figure("push", name, "s", statistic, samples)
	}
	report.add(
		row("push to applied, p50", statP50, ours.applied).atMost(0.6),
		row("push to applied, p99", statP99, ours.applied).atMost(1.0),
		row("push accepted to applied, p50", statP50, ours.appliedAccepted).atMost(0.6),
		row("push accepted to applied, p99", statP99, ours.appliedAccepted).atMost(1.0),
		row("push to new page, p50", statP50, ours.page),
		row("push to new page, p99", statP99, ours.page).atMost(3),
		row("push accepted to new page, p99", statP99, ours.pageAccepted).atMost(3),
		row("of it: git push itself, p50", statP50, ours.push),
		row("of it: push to artifact, p50", statP50, ours.artifact),
	)
	plain, err := pushToProcesses(ctx, o)
	if err != nil {
		return fmt.Errorf("on bare processes: %w", err)
	}
	report.add(
		row("bare processes: to applied, p50", statP50, plain.applied),
		row("bare processes: to applied, p99", statP99, plain.applied),
		row("bare: push accepted to applied, p50", statP50, plain.appliedAccepted),
		row("bare: push to artifact, p50", statP50, plain.artifact),
		figure("push", "overhead: push to applied, p50", "x", statOnce, []float64{median(ours.applied) / median(plain.applied)}),
	)
	return nil
}

func pushToCluster(ctx context.Context, o options) (s pushSamples, err error) {
	c, err := newCluster(o, "push")
	if err != nil {
		return s, err
	}
	defer c.closing(ctx, &err)
	if _, err := c.up(ctx); err != nil {
		return s, err
	}
	work := workingCopy{dir: c.temp + "/fleet", env: c.env}
	if _, _, err := c.fluxdemo(ctx, "clone", work.dir); err != nil {
		return s, err
	}
	page, err := appURL(ctx, c.kubeconfig())
	if err != nil {
		return s, err
	}
	return pushes(ctx, o, work, c.kubeconfig(), page)
}

// pushTimeout is far above every target: what takes this long got lost.
const pushTimeout = 30 * time.Second

// pushes pushes again and again and sees how far each one gets: to the
// GitRepository's artifact, to the Kustomization and, if page is not empty,
// to the page. A push starts when the one before is completely through, as
// it is in a presentation.
func pushes(ctx context.Context, o options, work workingCopy, kubeconfig, page string) (s pushSamples, err error) {
	group, ctx := errgroup.WithContext(ctx)
	ctx, cancel := context.WithCancel(ctx)
	defer func() { cancel(); _ = group.Wait() }() // they end because of cancel
	see := pushWatches{
		page:      page,
		artifacts: revisions(ctx, group, kubeconfig, gitRepository(), object.Stored),
		applied:   revisions(ctx, group, kubeconfig, kustomizations("apps"), object.Applied),
	}
	pace := time.NewTimer(0)
	defer pace.Stop()
	for n := range o.pushes {
		select {
		case <-pace.C:
			pace.Reset(o.pace)
		case <-ctx.Done():
			return s, context.Cause(ctx)
		}
		if err := onePush(ctx, work, n+1, see, &s); err != nil {
			return s, fmt.Errorf("push %d: %w", n+1, err)
		}
		if page != "" {
			ctx, cancel := context.WithTimeoutCause(ctx, pushTimeout, errors.New("the app is not rolled out in time"))
			_, err := await(ctx, kubeconfig, deployment("app", "app"), rolledOut)
			cancel()
			if err != nil {
				return s, err
			}
		}
		if (n+1)%10 == 0 || n+1 == o.pushes {
			o.say("  %d pushes, to applied: p50 %.2f s, p99 %.2f s", n+1, median(s.applied), percentile(s.applied, 99))
		}
	}
	return s, nil
}

// pushWatches is where the outcome of a push is seen.
type pushWatches struct {
	artifacts, applied <-chan sighting
	page               string
}

func onePush(ctx context.Context, work workingCopy, n int, see pushWatches, s *pushSamples) error {
	ctx, cancel := context.WithTimeoutCause(ctx, pushTimeout, fmt.Errorf("nothing came of it in %s", pushTimeout))
	defer cancel()
	message := fmt.Sprintf("Benchmark push %d at %d", n, time.Now().UnixMilli())
	commit, err := work.commit(ctx, n, message)
	if err != nil {
		return err
	}
	start := time.Now()
	if err := work.git(ctx, "push", "--quiet"); err != nil {
		return err
	}
	accepted := time.Now()
	revision := "main@sha1:" + commit
	artifact, err := awaitRevision(ctx, see.artifacts, revision)
	if err != nil {
		return fmt.Errorf("the GitRepository did not fetch it: %w", err)
	}
	applied, err := awaitRevision(ctx, see.applied, revision)
	if err != nil {
		return fmt.Errorf("the Kustomization did not apply it: %w", err)
	}
	s.push = append(s.push, seconds(accepted.Sub(start)))
	s.artifact = append(s.artifact, seconds(artifact.Sub(start)))
	s.applied = append(s.applied, seconds(applied.Sub(start)))
	s.appliedAccepted = append(s.appliedAccepted, seconds(applied.Sub(accepted)))
	if see.page == "" {
		return nil
	}
	// Before it is applied the page cannot change, and asking for it would
	// only take time from what is measured.
	shown, err := awaitPage(ctx, see.page, message)
	if err != nil {
		return fmt.Errorf("the page did not change: %w", err)
	}
	s.page = append(s.page, seconds(shown.Sub(start)))
	s.pageAccepted = append(s.pageAccepted, seconds(shown.Sub(accepted)))
	return nil
}

// sighting is a revision in an object's status and when it was seen there.
type sighting struct {
	revision string
	at       time.Time
}

// revisions watches an object and sends each new revision that field reads out
// of it, until ctx ends.
func revisions(ctx context.Context, group *errgroup.Group, kubeconfig string, t target, field func(*unstructured.Unstructured) string) <-chan sighting {
	seen := make(chan sighting, 16)
	last := ""
	group.Go(func() error {
		return follow(ctx, kubeconfig, t, func(u *unstructured.Unstructured, now time.Time) bool {
			revision := field(u)
			if revision == last {
				return false
			}
			last = revision
			select {
			case seen <- sighting{revision, now}:
			case <-ctx.Done():
			}
			return false
		})
	})
	return seen
}

func awaitRevision(ctx context.Context, seen <-chan sighting, revision string) (time.Time, error) {
	for {
		select {
		case s := <-seen:
			if s.revision == revision {
				return s.at, nil
			}
		case <-ctx.Done():
			return time.Time{}, context.Cause(ctx)
		}
	}
}
