package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/walk/report"
)

// walkSamples are the samples of all rounds.
type walkSamples struct {
	failed   int                  // runs of a walk that did not end well
	walks    map[string][]float64 // seconds a walk takes
	overhead []float64            // milliseconds of a step in which none of its commands ran
	reset    []float64            // seconds
}

// measureWalks does all walks again and again, without a second try: as many times as there are rounds in order, then in
// reverse, then in any order, with a reset after each round.
func measureWalks(ctx context.Context, o options, report *Report) (err error) {
	c, err := newCluster(o, "walks")
	if err != nil {
		return err
	}
	defer c.closing(ctx, &err)
	if _, err := c.up(ctx); err != nil {
		return err
	}
	names, err := walkNames(ctx, c)
	if err != nil {
		return err
	}
	s := walkSamples{walks: map[string][]float64{}}
	for round := range o.rounds {
		order := slices.Clone(names)
		switch round % 3 {
		case 1:
			slices.Reverse(order)
		case 2:
			rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		}
		for _, name := range order {
			if err := s.walk(ctx, c, name); err != nil {
				if ctx.Err() != nil {
					return err
				}
				s.failed++
				report.note("round %d, %s (after %s): %s", round+1, name, strings.Join(order[:slices.Index(order, name)], ", "), firstLine(err))
				o.say("  %v", err)
			}
		}
		took, _, err := c.fluxdemo(ctx, "reset")
		if err != nil {
			return err
		}
		s.reset = append(s.reset, seconds(took))
		o.say("  round %d of %d: %d walks, %d failed so far, reset %.2f s", round+1, o.rounds, len(names), s.failed, seconds(took))
	}
	runs := 0
	for _, name := range names {
		runs += len(s.walks[name])
		report.add(figure("walks", name+", whole walk, p50", "s", statP50, s.walks[name]))
	}
	report.add(
		figure("walks", fmt.Sprintf("failed, of %d runs", runs+s.failed), "", statOnce, []float64{float64(s.failed)}).atMost(0),
		figure("walks", "engine's share of a step, p50", "ms", statP50, s.overhead).atMost(50),
		figure("walks", "engine's share of a step, p99", "ms", statP99, s.overhead),
		figure("walks", "reset after a round", "s", statWorst, s.reset).atMost(3),
	)
	return nil
}

// walkNames lists the walks as the program's own completion knows them.
func walkNames(ctx context.Context, c *cluster) ([]string, error) {
	cmd := exec.CommandContext(ctx, c.o.fluxdemo, "__complete", "walk", "") // nothing may stand behind what is completed
	cmd.Env = c.env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_, out, err := timed(ctx, cmd, &stdout, &stderr)
	if err != nil {
		return nil, err
	}
	var names []string
	for line := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if name != "" && name != "lint" && !strings.HasPrefix(name, ":") {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, errors.New("the program knows no walks")
	}
	return names, nil
}

// walkTimeout is far above what any walk takes.
const walkTimeout = 10 * time.Minute

// walk does one walk and takes its samples from the report that it writes.
func (s *walkSamples) walk(ctx context.Context, c *cluster, name string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, walkTimeout, fmt.Errorf("not done after %s", walkTimeout))
	defer cancel()
	took, out, err := c.fluxdemo(ctx, "walk", name, "--auto", "--json")
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	s.walks[name] = append(s.walks[name], seconds(took))
	overhead, err := engineShare(out)
	s.overhead = append(s.overhead, overhead...)
	return err
}

// engineShare returns for each step but the last how many milliseconds passed from its start to the start of the next
// one in which neither a command nor a check ran.
func engineShare(lines []byte) ([]float64, error) {
	var samples []float64
	var started time.Time
	var inside float64
	decoder := json.NewDecoder(bytes.NewReader(lines))
	for decoder.More() {
		var r report.Record
		if err := decoder.Decode(&r); err != nil {
			return nil, fmt.Errorf("reading the walk's report: %w", err)
		}
		switch {
		case r.Event == "step-start":
			if !started.IsZero() {
				samples = append(samples, (r.Time.Sub(started).Seconds()-inside)*1000)
			}
			started, inside = time.Time{}, 0
			if r.Step > 0 { // setup and cleanup are no steps
				started = r.Time
			}
		case (r.Event == "command" || r.Event == "check") && r.Seconds != nil:
			inside += *r.Seconds
		}
	}
	return samples, nil
}
