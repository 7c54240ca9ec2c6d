package walk

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"mvdan.cc/sh/v3/interp"
)

// It takes at most tryTime to find out which checks hold, and then explainTime to say why one does not. Each command may
// wait for patience.
const tryTime, explainTime, patience = 1500 * time.Millisecond, 300 * time.Millisecond, 800 * time.Millisecond

// Result says whether a check holds just now.
type Result struct {
	Check *Block
	Holds bool
	Why   string // what is not as it should be, in one line; "" if it holds
}

// UnmetError says that not all checks of a step hold yet.
type UnmetError struct {
	Step    *Step
	Results []Result // of all checks, in the order of the file
}

// Error returns a line for each check that does not hold.
func (e *UnmetError) Error() string {
	lines := []string{fmt.Sprintf("%q is not done yet", e.Step.Title)}
	for _, r := range e.Results {
		if !r.Holds {
			lines = append(lines, r.Check.Name()+": "+r.Why)
		}
	}
	return strings.Join(lines, "\n    ")
}

// trial is what a check runs in that must not wait.
type trial struct {
	patience time.Duration
	mu       sync.Mutex
	failed   []string // the last program that failed, with its arguments
}

type trialKey struct{}

// hurry shortens what a program of a trial may wait.
func (t *trial) hurry(args []string) []string {
	if !slices.Contains([]string{"kubectl", "flux", "fluxdemo"}, path.Base(args[0])) {
		return args
	}
	short := slices.Clone(args)
	for i, arg := range short {
		switch {
		case strings.HasPrefix(arg, "--timeout="):
			short[i] = "--timeout=" + t.patience.String()
		case arg == "--timeout" && i+1 < len(short):
			short[i+1] = t.patience.String()
		}
	}
	return short
}

func (t *trial) fail(args []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed = args
}

// try looks once at the checks of step i, all at the same time. It sends BlockStart and BlockEnd of each.
func (r *Runner) try(ctx context.Context, i int, explain func(ctx context.Context, args []string) string) []Result {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	checks := r.walk.Steps[i].Checks()
	results := make([]Result, len(checks))
	var all sync.WaitGroup
	for n := range checks {
		shell := r.shell.Subshell()
		all.Go(func() {
			why := tryOne(ctx, shell, &checks[n], explain)
			results[n] = Result{Check: &checks[n], Holds: why == "", Why: why}
		})
	}
	all.Wait()
	return results
}

// tryOne says why a check does not hold, "" if it does.
func tryOne(ctx context.Context, shell *interp.Runner, check *Block, explain func(ctx context.Context, args []string) string) string {
	var output bytes.Buffer
	if err := interp.StdIO(nil, &output, &output)(shell); err != nil {
		return err.Error()
	}
	t := &trial{patience: patience}
	trying := context.WithValue(ctx, trialKey{}, t)
	for _, c := range check.Commands {
		output.Reset()
		t.fail(nil)
		err := shell.Run(trying, c.stmt)
		if err == nil {
			continue
		}
		found := ""
		if explain != nil && len(t.failed) > 0 {
			explaining, cancel := context.WithTimeout(context.WithoutCancel(ctx), explainTime)
			found = explain(explaining, t.failed)
			cancel()
		}
		if found == "" && ctx.Err() != nil {
			// The command was killed: neither its end nor its last line say anything of the cluster.
			return "the cluster does not answer in time; on a busy computer, fluxdemo check --wait waits longer"
		}
		if found == "" && c.Comment == "" {
			found = lastLine(output.Bytes())
		}
		switch {
		case found != "" && c.Comment != "":
			return c.Comment + " " + found
		case found != "" || c.Comment != "":
			return c.Comment + found
		}
		return fmt.Sprintf("`%s` failed: %s", firstLine(c.Text), cause(err))
	}
	return ""
}
