package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/demo/walk/builtin"
)

func newWalkLint() *cobra.Command {
	return &cobra.Command{
		Use:   "lint FILE...",
		Short: "Report mistakes in walks by line and column",
		Long: `Reads walks and prints each mistake as file:line:column: message. Commands that
would harm a cluster that others use are mistakes too, unless the front matter
says "cluster: own". The exit code is 2 if there is a mistake. Needs no cluster.`,
		Example: `  fluxdemo walk lint mine.md
  fluxdemo walk lint walks/*.md`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			bad := false
			for _, arg := range args {
				s, err := builtin.Load(arg)
				if err == nil {
					err = errors.Join(s.Walk.Lint()...)
				}
				if err != nil {
					bad = true
					fmt.Fprintln(cmd.OutOrStdout(), err)
					continue
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "%s: %d steps, no mistakes\n", s.Walk.File, len(s.Walk.Steps))
			}
			if bad {
				return exitCode(exitUsage)
			}
			return nil
		},
	}
}
