package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"mvdan.cc/sh/v3/syntax"

	"github.com/fluxdemo/fluxdemo/clusters/statefile"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/demo/walk/builtin"
	"github.com/fluxdemo/fluxdemo/demo/walk/plain"
)

// runLearn lets somebody do a walk in a shell of their own.
func (f *walkFlags) runLearn(cmd *cobra.Command, o *cli.Options, env *cli.Environment, s *builtin.Chain) error {
	ctx := cmd.Context()
	session, err := env.Open(ctx, s, walk.SessionOptions{})
	if err != nil {
		return err
	}
	arg := s.Arg
	if strings.ContainsAny(arg, "/.") {
		if arg, err = filepath.Abs(arg); err != nil {
			return err
		}
	}
	if err := statefile.Write(env.Learning(), []byte(arg+"\n"), 0o600); err != nil {
		return fmt.Errorf("noting which walk is learnt: %w", err)
	}
	dir, err := syntax.Quote(env.Dir(s.Walk.Name), syntax.LangPOSIX)
	if err != nil {
		return fmt.Errorf("naming the walk's folder: %w", err)
	}
	err = plain.Learn(ctx, session, plain.NewScreen(cmd.OutOrStdout(), os.Environ()), cmd.InOrStdin(), []string{
		`eval "$(fluxdemo env` + env.Flag() + `)"`,
		"cd " + dir,
		"fluxdemo clone" + env.Flag() + " fleet",
	})
	if !session.Started() { // it is over
		err = errors.Join(err, os.Remove(env.Learning()))
	}
	return err
}

// learnt opens the walk that args name, or the one that is being learnt.
func learnt(ctx context.Context, o *cli.Options, args []string) (*builtin.Chain, *walk.Session, error) {
	p, err := o.Environment(ctx)
	if err != nil {
		return nil, nil, err
	}
	arg := ""
	if len(args) > 0 {
		arg = args[0]
	} else {
		raw, err := os.ReadFile(p.Learning())
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, err
		}
		if arg = learntName(raw); arg == "" {
			return nil, nil, cli.Usage(fmt.Errorf("no walk is being learnt; `fluxdemo walk NAME --learn%s` starts one, or goes on with it", p.Flag()))
		}
	}
	s, err := builtin.Load(arg)
	if err != nil {
		return nil, nil, cli.Usage(err)
	}
	session, err := p.Open(ctx, s, walk.SessionOptions{})
	if err != nil {
		return nil, nil, err
	}
	if !session.Started() {
		return nil, nil, cli.Usage(fmt.Errorf("the walk %s was not begun; `fluxdemo walk %s --learn%s` begins it", s.Walk.Name, arg, p.Flag()))
	}
	return s, session, nil
}

// learntName reads what runLearn has noted; it is empty if that is damaged. Where the learner is stands elsewhere.
func learntName(raw []byte) string {
	name, whole := strings.CutSuffix(string(raw), "\n")
	if !whole || strings.ContainsAny(name, "\n\x00") {
		return ""
	}
	return name
}

// newLearnVerb makes a verb that acts on the step which the learner is at.
func newLearnVerb(o *cli.Options, use, short, long, example string, run func(cmd *cobra.Command, session *walk.Session, screen *plain.Screen) error) *cobra.Command {
	return &cobra.Command{
		Use:               use + " [NAME]",
		Short:             short,
		Long:              long,
		Example:           example,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.FixedCompletions(builtin.Names(), cobra.ShellCompDirectiveDefault),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, session, err := learnt(cmd.Context(), o, args)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			steps := s.Walk.Steps
			if session.Position() == len(steps) {
				fmt.Fprintf(out, "All %d steps of %s are done.\n", len(steps), s.Walk.Name)
				return nil
			}
			step := &steps[session.Position()]
			fmt.Fprintf(out, "%d/%d %s\n", step.Number, len(steps), step.Title)
			if err := run(cmd, session, plain.NewScreen(out, os.Environ())); err != nil {
				return err
			}
			if at := session.Position(); at >= step.Number && at < len(steps) {
				fmt.Fprintf(out, "Next: %s\n", steps[at].Title)
			}
			return nil
		},
	}
}

func newCheck(o *cli.Options) *cobra.Command {
	return newLearnVerb(o, "check", "Check the step that you are learning",
		"Runs the check of the current step of `fluxdemo walk NAME --learn`, and marks the\nstep as done if the check passes in time.",
		"  fluxdemo check\n  fluxdemo check gitops",
		func(cmd *cobra.Command, session *walk.Session, screen *plain.Screen) error {
			return session.Do(cmd.Context(), walk.Command{Action: walk.ActionComplete}, screen.Checks())
		})
}

func newHint(o *cli.Options) *cobra.Command {
	return newLearnVerb(o, "hint", "Show a hint for the step that you are learning",
		"Shows the hint of the current step of `fluxdemo walk NAME --learn`.",
		"  fluxdemo hint\n  fluxdemo hint gitops",
		func(cmd *cobra.Command, session *walk.Session, screen *plain.Screen) error {
			if !screen.Hint(&session.Walk().Steps[session.Position()]) {
				fmt.Fprintln(cmd.OutOrStdout(), "There is no hint for this step; `fluxdemo solve` does it.")
			}
			return nil
		})
}

func newSolve(o *cli.Options) *cobra.Command {
	return newLearnVerb(o, "solve", "Do the step that you are learning",
		"Undoes what you have done of the current step of `fluxdemo walk NAME --learn`,\nthen runs its commands and shows them.",
		"  fluxdemo solve\n  fluxdemo solve gitops",
		func(cmd *cobra.Command, session *walk.Session, screen *plain.Screen) error {
			return session.Do(cmd.Context(), walk.Command{Action: walk.ActionNext}, screen.Commands())
		})
}
