package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/fluxdemo/fluxdemo/hack/mess"
)

// messLines is how much a learner does before a reset.
const messLines = 6

// resetLimit is what a reset may take on an idle machine.
const resetLimit = 3 * time.Second

// stateOfDemo prints what a reset restores: the written fields of what learners change, and the commit of the fleet.
const stateOfDemo = `kinds=gitrepositories,kustomizations,receivers,providers,alerts,deployments,services,configmaps,secrets,resourcequotas,limitranges
for n in flux-system app playground; do
  kubectl -n "$n" get "$kinds" -o jsonpath='{range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name} {.spec} {.data}{"\n"}{end}'
done | sed -E 's/"clusterIPs?":(\[[^]]*\]|"[^"]*"),?|"nodePort":[0-9]+,?//g' # a Service that was deleted has others
git ls-remote "$FLEET_URL" refs/heads/main`

// measureResets makes a random mess and resets, again and again. It counts the resets that failed or did not restore the
// state that was there after up.
func measureResets(ctx context.Context, o options, report *Report) (err error) {
	c, err := newCluster(o, "resets")
	if err != nil {
		return err
	}
	defer c.closing(ctx, &err)
	if _, err := c.up(ctx); err != nil {
		return err
	}
	before, err := c.bash(ctx, c.temp, stateOfDemo)
	if err != nil {
		return err
	}
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	report.note("resets: the seed of the messes is %d", seed)
	var took []float64
	failed := 0
	for n := range o.resets {
		clone := filepath.Join(c.temp, fmt.Sprintf("mess-%d", n))
		if _, _, err := c.fluxdemo(ctx, "clone", clone); err != nil {
			return err
		}
		lines := mess.Some(random, messLines)
		for _, line := range lines {
			_, _ = c.bash(ctx, clone, line) // one may be in the way of another
		}
		reset, _, progress, err := c.narrated(ctx, "reset")
		if ctx.Err() != nil {
			return err
		}
		if err == nil {
			err = c.restored(ctx, before)
		}
		if reset > resetLimit {
			report.note("reset %d took %.1f s after %s", n+1, seconds(reset), strings.Join(lines, "; "))
			o.say("  after %s\n%s", strings.Join(lines, "\n        "), progress)
		}
		if err != nil {
			failed++
			report.note("reset %d: %s; after %s", n+1, firstLine(err), strings.Join(lines, "; "))
			o.say("  %v", err)
		}
		took = append(took, seconds(reset))
		o.say("  reset %d of %d: %.2f s, %d failed so far", n+1, o.resets, seconds(reset), failed)
		if err := os.RemoveAll(clone); err != nil {
			return err
		}
	}
	report.add(
		figure("resets", fmt.Sprintf("failed, of %d resets", o.resets), "", statOnce, []float64{float64(failed)}).atMost(0),
		figure("resets", "reset after a mess, p50", "s", statP50, took),
		figure("resets", "reset after a mess", "s", statWorst, took).atMost(resetLimit.Seconds()),
	)
	return nil
}

// restored returns an error unless the demo's state is what it was.
func (c *cluster) restored(ctx context.Context, before string) error {
	now, err := c.bash(ctx, c.temp, stateOfDemo)
	if err != nil || now == before {
		return err
	}
	old := strings.Split(before, "\n")
	for i, line := range strings.Split(now, "\n") {
		if i >= len(old) || line != old[i] {
			return fmt.Errorf("the state is another one: %s", line)
		}
	}
	return errors.New("the state is another one: something is missing")
}

// bash runs lines in a folder, in the shell of a learner, and returns what they print.
func (c *cluster) bash(ctx context.Context, dir, lines string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", `eval "$("$0" env --name "$1")" && cd "$2" && { eval "$3"; }`, c.o.fluxdemo, c.name, dir, lines)
	cmd.Env = c.env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.SplitN(lines, "\n", 2)[0], err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}
