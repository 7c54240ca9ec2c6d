package walk

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"mvdan.cc/sh/v3/interp"

	"github.com/fluxdemo/fluxdemo/demo/walk/tap"
)

// It takes at most tryTime to find out which checks hold, and then explainTime to say why one does not. Each command may
// wait for patience.
const tryTime, explainTime, patience = 1500 * time.Millisecond, 300 * time.Millisecond, 800 * time.Millisecond

// Result says whether a check holds just now.
type Result struct {
	Check *Block
	Holds bool
	// Unknown says that the cluster did not answer in time. Then Holds is false.
	Unknown bool
	Why     string // what is not as it should be, in one line; "" if it holds
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

// trial is what a check runs in that must not wait long.
type trial struct {
	patience time.Duration
	mu       sync.Mutex
	failed   []string // the last program that failed, with its arguments
	compared []string // the last call of test, with its arguments
}

type trialKey struct{}

// hurried is a context for commands whose programs wait for at most patience; 0 changes nothing.
func hurried(ctx context.Context, patience time.Duration) context.Context {
	if patience == 0 {
		return ctx
	}
	return context.WithValue(ctx, trialKey{}, &trial{patience: patience})
}

// hurry shortens what a program of a trial may wait.
func (t *trial) hurry(args []string) []string {
	if !slices.Contains([]string{"kubectl", "flux", "fluxdemo"}, path.Base(args[0])) {
		return args
	}
	shorter := func(text string) string {
		if d, err := time.ParseDuration(text); err == nil && 0 < d && d < t.patience {
			return text
		}
		return t.patience.String()
	}
	short := slices.Clone(args)
	for i, arg := range short {
		if text, is := strings.CutPrefix(arg, "--timeout="); is {
			short[i] = "--timeout=" + shorter(text)
		} else if arg == "--timeout" && i+1 < len(short) {
			short[i+1] = shorter(short[i+1])
		}
	}
	return short
}

// begin forgets the command before.
func (t *trial) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed, t.compared = nil, nil
}

func (t *trial) fail(args []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed = args
}

// compares notes what a trial's call of test compares. It is an interp.CallHandlerFunc: the arguments are expanded.
func compares(ctx context.Context, args []string) ([]string, error) {
	if t, is := ctx.Value(trialKey{}).(*trial); is && len(args) > 0 && (args[0] == "test" || args[0] == "[") {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.compared = args
	}
	return args, nil
}

// found says what a command that has failed has found, and what it wants; "" if that is not known.
func (t *trial) found(ctx context.Context, explain func(ctx context.Context, args []string) string) string {
	t.mu.Lock()
	failed := t.failed
	t.mu.Unlock()
	if explain != nil && len(failed) > 0 {
		explaining, cancel := context.WithTimeout(context.WithoutCancel(ctx), explainTime)
		defer cancel()
		if found := explain(explaining, failed); found != "" {
			return found
		}
	}
	return t.difference()
}

// difference says what the last call of test has found and what it wants, "" if that is nothing to read: no comparison
// of words, or one of commits.
func (t *trial) difference() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	args := t.compared
	if len(args) > 0 && args[0] == "[" {
		args = args[:len(args)-1]
	}
	for _, arg := range args {
		if len(arg) > 32 {
			return ""
		}
	}
	switch {
	case len(args) == 4 && (args[2] == "=" || args[2] == "=="):
		return fmt.Sprintf("Found %s, wanted %s.", cmp.Or(args[1], "nothing"), cmp.Or(args[3], "nothing"))
	case len(args) == 3 && args[1] == "-z":
		return "Found " + args[2] + "."
	}
	return ""
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
			results[n] = tryOne(ctx, shell, &checks[n], explain)
		})
	}
	all.Wait()
	return results
}

// tryOne looks at one check in a shell of its own.
func tryOne(ctx context.Context, shell *interp.Runner, check *Block, explain func(ctx context.Context, args []string) string) Result {
	var output bytes.Buffer
	open := func(why string) Result { return Result{Check: check, Why: why} }
	if err := interp.StdIO(nil, &output, &output)(shell); err != nil {
		return open(err.Error())
	}
	t := &trial{patience: patience}
	trying := context.WithValue(ctx, trialKey{}, t)
	for _, c := range check.Commands {
		output.Reset()
		t.begin()
		err := shell.Run(trying, c.stmt)
		if err == nil {
			continue
		}
		found := t.found(ctx, explain)
		if found == "" && ctx.Err() != nil {
			// The command was killed: neither its end nor its last line say anything of the cluster.
			return Result{Check: check, Unknown: true, Why: "The cluster does not answer in time: the computer is busy."}
		}
		if found == "" && c.Comment == "" {
			found = tap.LastLine(output.String())
		}
		if why := strings.TrimSpace(c.Comment + " " + found); why != "" {
			return open(why)
		}
		return open(fmt.Sprintf("`%s` failed: %s", firstLine(c.Text), cause(err)))
	}
	return Result{Check: check, Holds: true}
}
