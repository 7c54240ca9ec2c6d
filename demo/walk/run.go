package walk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"

	"github.com/fluxdemo/fluxdemo/demo/walk/tap"
)

// waitingEvery is how often a check that has not ended says what it is waiting for.
const waitingEvery = time.Second

// Options says in what surroundings a walk runs.
type Options struct {
	// Env is the whole environment as KEY=value: nothing is taken from this process. PATH has the bundle first, and
	// KUBECONFIG is the demo's.
	Env []string
	// Dir is the work folder, where the first command starts; it must be there. Commands see it as WALK_DIR.
	Dir string
	// Ready waits until the cluster answers and all its parts are there; ctx carries a deadline. With it, Auto does a
	// step that failed once more: a cluster that heals itself must not end the show. nil means no second try.
	Ready func(ctx context.Context) error

	grace   time.Duration // killGrace, if it is 0; tests do not wait that long
	waiting time.Duration // waitingEvery, if it is 0
}

// Runner does the steps of one walk in one shell, so that variables and the current folder carry over from step to
// step. It is used by one goroutine at a time.
type Runner struct {
	walk   *Walk
	dir    string
	shell  *interp.Runner
	start  map[string]expand.Variable // the shell's variables before the first command
	goHome *syntax.Stmt               // cd "$WALK_DIR"
	out    *tap.Tap
	// What a waiting check waits for; see SessionOptions.Explain. running is the program that runs, with its arguments.
	explain func(ctx context.Context, args []string) string
	running atomic.Pointer[[]string]

	// Fields, so that tests need not wait.
	waitingEvery time.Duration
	killGrace    time.Duration
}

// NewRunner makes the shell for a walk. It fails when the work folder is not there.
func NewRunner(w *Walk, o Options) (*Runner, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("walk %s: finding the work folder: %w", w.Name, err)
	}
	// A question on the terminal would hang the show, and so would a pager.
	env := append([]string{"GIT_TERMINAL_PROMPT=0", "GIT_PAGER=cat", "PAGER=cat"}, o.Env...)
	env = append(env, "WALK_DIR="+dir)
	r := &Runner{walk: w, dir: dir, out: &tap.Tap{}, waitingEvery: cmp.Or(o.waiting, waitingEvery), killGrace: cmp.Or(o.grace, killGrace)}
	r.shell, err = interp.New(
		interp.Env(expand.ListEnviron(env...)),
		interp.Dir(dir),
		interp.StdIO(nil, r.out, r.out),
		interp.CallHandler(compares),
		interp.ExecHandlers(r.execInGroup),
	)
	if err != nil {
		return nil, fmt.Errorf("walk %s: creating the shell: %w", w.Name, err)
	}
	cd, err := syntax.NewParser().Parse(strings.NewReader(`cd "$WALK_DIR"`), "")
	if err != nil {
		return nil, fmt.Errorf("walk %s: creating the shell: %w", w.Name, err)
	}
	r.goHome = cd.Stmts[0]
	if err := r.shell.Run(context.Background(), r.goHome); err != nil {
		return nil, fmt.Errorf("walk %s: changing to the work folder %s: %w", w.Name, dir, err)
	}
	r.start = maps.Clone(r.shell.Vars)
	return r, nil
}

// Walk returns the walk that the runner was made for.
func (r *Runner) Walk() *Walk { return r.walk }

// RunStep does the commands and checks of step i (counted from 0) in order, and stops at the first that fails, with
// a *StepError. A nil ev runs it silently.
func (r *Runner) RunStep(ctx context.Context, i int, ev Events) error {
	step := &r.walk.Steps[i]
	return r.run(ctx, step, step.Actions(), ev)
}

// Solve does step i (counted from 0) for a learner, as RunStep does. It fails with a *StepError.
func (r *Runner) Solve(ctx context.Context, i int, ev Events) error {
	step := &r.walk.Steps[i]
	return r.run(ctx, step, step.Solution(), ev)
}

// Check only waits for the state that step i (counted from 0) leads to. It fails with a *StepError. What has to stay as it
// is comes last: it may change while the others wait.
func (r *Runner) Check(ctx context.Context, i int, ev Events) error {
	step := &r.walk.Steps[i]
	checks := step.Checks()
	slices.SortStableFunc(checks, func(a, b Block) int { return cmp.Compare(last(a), last(b)) })
	return r.run(ctx, step, checks, ev)
}

func last(check Block) int {
	if check.Always {
		return 1
	}
	return 0
}

// Undo brings back the state before step i (counted from 0). A step that changes nothing has nothing to undo.
// It fails with a *StepError.
func (r *Runner) Undo(ctx context.Context, i int, ev Events) error {
	step := &r.walk.Steps[i]
	return r.run(ctx, step, step.Undo(), ev)
}

// Setup prepares the state that the walk starts from, in the work folder. It fails with a *StepError.
func (r *Runner) Setup(ctx context.Context, ev Events) error {
	return r.home(ctx, r.walk.Setup, ev)
}

// Cleanup runs the walk's cleanup, in the work folder. It fails with a *StepError.
func (r *Runner) Cleanup(ctx context.Context, ev Events) error {
	return r.home(ctx, r.walk.Cleanup, ev)
}

// home runs a section from the work folder, and leaves the shell there.
func (r *Runner) home(ctx context.Context, section *Step, ev Events) error {
	if section == nil {
		return nil
	}
	// Earlier steps may have gone elsewhere, even to a folder that is no longer there.
	if err := r.shell.Run(ctx, r.goHome); err != nil {
		return fmt.Errorf("walk %s: changing to the work folder %s: %w", r.walk.Name, r.dir, err)
	}
	return r.run(ctx, section, section.Actions(), ev)
}

func (r *Runner) run(ctx context.Context, step *Step, blocks []Block, ev Events) error {
	em := &emitter{to: ev}
	start := time.Now()
	em.emit(Event{Kind: StepStart, Step: step})
	var err error
	for i := range blocks {
		if err = r.block(ctx, step, &blocks[i], em); err != nil {
			break
		}
	}
	em.emit(Event{Kind: StepEnd, Step: step, Elapsed: time.Since(start), Err: err})
	return err
}

func (r *Runner) block(ctx context.Context, step *Step, b *Block, em *emitter) error {
	start := time.Now()
	r.out.Forget()
	em.emit(Event{Kind: BlockStart, Step: step, Block: b})
	var err error
	for i := range b.Commands {
		if err = r.command(ctx, step, b, &b.Commands[i], start, em); err != nil {
			break
		}
	}
	em.emit(Event{Kind: BlockEnd, Step: step, Block: b, Elapsed: time.Since(start), Err: err})
	return err
}

func (r *Runner) command(ctx context.Context, step *Step, b *Block, c *ShellCommand, blockStart time.Time, em *emitter) error {
	ev := Event{Step: step, Block: b, Command: c}
	send := func(kind EventKind, text string, since time.Time, err error) {
		e := ev
		e.Kind, e.Text, e.Err = kind, text, err
		if !since.IsZero() {
			e.Elapsed = time.Since(since)
		}
		em.emit(e)
	}
	start := time.Now()
	send(CommandStart, "", time.Time{}, nil)
	limited, cancel := context.WithTimeout(ctx, b.Timeout)
	defer cancel()
	r.out.Open(func(p []byte) { send(Output, string(p), time.Time{}, nil) })
	stop := func() {}
	if b.Role == Check {
		stop = every(r.waitingEvery, func() { send(Waiting, cmp.Or(r.awaited(limited), r.out.LastLine()), blockStart, nil) })
	}
	t, trying := limited.Value(trialKey{}).(*trial)
	if trying {
		t.begin()
	}
	err := r.shell.Run(limited, c.stmt)
	stop()
	output := r.out.Close()
	if output == "" {
		output = r.out.LastLine() // a check may say first what it then waits for
	}
	if err != nil || limited.Err() != nil {
		failed := &StepError{File: r.walk.File, Step: step, Block: b, Command: c, Output: output, Elapsed: time.Since(start)}
		switch {
		case ctx.Err() != nil:
			failed.Err = ctx.Err()
		case errors.Is(limited.Err(), context.DeadlineExceeded):
			failed.Err, failed.Timeout = limited.Err(), b.Timeout
		default:
			failed.Err = err
			if trying {
				failed.Why = strings.TrimSpace(c.Comment + " " + t.found(ctx, r.explain))
			}
		}
		err = failed
	}
	send(CommandEnd, "", start, err)
	return err
}

// awaited says what the program that runs waits for, "" if that is not known.
func (r *Runner) awaited(ctx context.Context) string {
	args := r.running.Load()
	if r.explain == nil || args == nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, r.waitingEvery)
	defer cancel()
	return r.explain(ctx, *args)
}

// every calls f in a goroutine of its own until the returned function is called, which waits for the last call.
func every(d time.Duration, f func()) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(d)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				f()
			}
		}
	}()
	return func() { close(quit); <-done }
}
