// Package steps runs a long operation as a table: named steps, each with the steps that it needs. Steps that do not need
// each other run at the same time, and the first error ends the rest.
package steps

import (
	"context"
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
	// Needs names the steps that must have succeeded before this one begins.
	Needs []string
	// Do does the work. Its context ends when another step has failed.
	Do func(context.Context) error
}

// Run runs all steps of a table and returns when they have ended. It reports each one when it begins and when it ends;
// report may be nil.
//
// The error is that of the step that failed first, with the step's name in front. The contexts of the others end then,
// and those that have not begun never do. A table with a name twice, an unknown name in Needs or a circle is an error
// before anything runs.
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
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range table {
		group.Go(func() error {
			for _, need := range s.Needs {
				select {
				case <-done[need]:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			// What it needs may have succeeded at the moment when another step failed.
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			end := func(error) {}
			if report != nil {
				end = report.Start(s.Name)
			}
			err := s.Do(ctx)
			end(err)
			if err != nil {
				return fmt.Errorf("%s: %w", s.Name, err)
			}
			close(done[s.Name])
			return nil
		})
	}
	return group.Wait()
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
			return fmt.Errorf("these steps wait for each other: %s", strings.Join(names, ", "))
		}
	}
	return nil
}
