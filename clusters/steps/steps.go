// Package steps runs a long operation as a table: named steps, each with the steps that it needs. Steps that do not need
// each other run at the same time, and the first error ends the rest.
package steps

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/fluxdemo/fluxdemo/clusters"
)

// Step is one row of a table.
type Step struct {
	// Name is what the user reads. It is unique in its table.
	Name string
	// Hidden tells that the step is not reported: it takes no time, or reports by itself what it does.
	Hidden bool
	// Needs names the steps that must have succeeded before this one begins.
	Needs []string
	// Do does the work. Its context ends when another step has failed.
	Do func(context.Context) error
}

// Run runs all steps of a table and returns when they have ended. It reports each one when it begins and when it ends,
// but for hidden ones; report may be nil.
//
// The error is that of the step that failed first, with the step's name in front. The contexts of the others end then,
// and those that have not begun never do. If ctx ends, the error has its cause as well. A table with a name twice, an unknown name in Needs or a circle is an error before anything runs.
//
//	err := steps.Run(ctx, report,
//		steps.Step{Name: "Network", Do: network},
//		steps.Step{Name: "Node", Needs: []string{"Network"}, Do: node},
//	)
func Run(ctx context.Context, report clusters.Steps, table ...Step) error {
	if err := check(table); err != nil {
		return err
	}
	done := make(map[string]chan struct{}, len(table)) // closed when the step has succeeded
	for _, s := range table {
		done[s.Name] = make(chan struct{})
	}
	group, running := errgroup.WithContext(ctx)
	for _, s := range table {
		group.Go(func() error {
			for _, need := range s.Needs {
				select {
				case <-done[need]:
				case <-running.Done():
					return nil // another step has the reason, or ctx
				}
			}
			// Its needs may have succeeded just as another step failed.
			if running.Err() != nil {
				return nil
			}
			end := func(error) {}
			if report != nil && !s.Hidden {
				end = report.Start(s.Name)
			}
			err := s.Do(running)
			end(err)
			if err != nil {
				return &failure{s.Name, err}
			}
			close(done[s.Name])
			return nil
		})
	}
	err := group.Wait()
	var failed *failure
	if cause := context.Cause(ctx); cause != nil && errors.As(err, &failed) && !errors.Is(err, cause) {
		// The step says what it was waiting for, and not that it was interrupted.
		return &failure{failed.step, fmt.Errorf("%w (%w)", failed.err, cause)}
	}
	if err != nil {
		return err
	}
	for _, s := range table {
		select {
		case <-done[s.Name]:
		default:
			return context.Cause(ctx)
		}
	}
	return nil
}

// RunUnnamed is as Run, for steps whose errors say by themselves what was being done: the step's name is not in front.
func RunUnnamed(ctx context.Context, report clusters.Steps, table ...Step) error {
	err := Run(ctx, report, table...)
	var failed *failure // the outermost, so of this table
	if errors.As(err, &failed) {
		return failed.err
	}
	return err
}

// failure is the error of a step.
type failure struct {
	step string
	err  error
}

func (f *failure) Error() string { return f.step + ": " + f.err.Error() }

func (f *failure) Unwrap() error { return f.err }

// One runs a single step and reports it; report may be nil. The error is that of do.
func One(ctx context.Context, report clusters.Steps, name string, do func(context.Context) error) error {
	return RunUnnamed(ctx, report, Step{Name: name, Do: do})
}

// Sequence returns a table in which each step needs the one before it as well.
func Sequence(table ...Step) []Step {
	table = slices.Clone(table)
	for i := 1; i < len(table); i++ {
		table[i].Needs = append(slices.Clone(table[i].Needs), table[i-1].Name)
	}
	return table
}

// check returns an error if the table cannot be run to its end.
func check(table []Step) error {
	rest := map[string][]string{} // what each step still needs
	for _, s := range table {
		if _, twice := rest[s.Name]; twice {
			return fmt.Errorf("two steps are named %q", s.Name)
		}
		rest[s.Name] = s.Needs
	}
	for _, s := range table {
		for _, need := range s.Needs {
			if _, known := rest[need]; !known {
				return fmt.Errorf("the step %q needs %q, which does not exist", s.Name, need)
			}
		}
	}
	for len(rest) > 0 {
		before := len(rest)
		for name, needs := range rest {
			if !slices.ContainsFunc(needs, func(need string) bool { _, open := rest[need]; return open }) {
				delete(rest, name)
			}
		}
		if len(rest) == before {
			var names []string
			for _, s := range table {
				if _, open := rest[s.Name]; open {
					names = append(names, fmt.Sprintf("%q", s.Name))
				}
			}
			return fmt.Errorf("the steps need each other in a cycle: %s", strings.Join(names, ", "))
		}
	}
	return nil
}
