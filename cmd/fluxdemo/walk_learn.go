package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/output"
	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/demo/walk/builtin"
	"github.com/fluxdemo/fluxdemo/demo/walk/lesson"
	"github.com/fluxdemo/fluxdemo/demo/walk/plain"
)

// runLearn shows the steps of a walk to a user who does them in another shell.
func (f *walkFlags) runLearn(cmd *cobra.Command, o *cli.Options, env *cli.Environment, s *builtin.Chain) error {
	ctx := cmd.Context()
	session, err := env.Open(ctx, s, walk.SessionOptions{Learner: true})
	if err != nil {
		return err
	}
	if err := env.Learn(s.Arg); err != nil {
		return err
	}
	first, err := env.First(s.Walk)
	if err != nil {
		return err
	}
	// With the first line, fluxdemo is on PATH.
	prelude := append([]string{`eval "$(` + env.Called().Command("env") + `)"`}, first...)
	if !f.plain && isStage(cmd.InOrStdin(), cmd.OutOrStdout()) {
		err = lesson.Run(ctx, session, lesson.Options{
			In: cmd.InOrStdin(), Out: output.Below(cmd.OutOrStdout()), Environ: os.Environ(), Prelude: prelude,
		})
	} else {
		err = plain.Learn(ctx, session, newScreen(cmd.OutOrStdout()), cmd.InOrStdin(), prelude)
	}
	if !session.Started() { // it has ended
		err = errors.Join(err, os.Remove(env.Learning()))
	}
	return err
}

// learnt opens the walk that args name, or the one that --learn has started last.
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
			return nil, nil, cli.Usage(fmt.Errorf("no walk is being learnt; `fluxdemo walk NAME --learn%s` starts or resumes one", p.Flag()))
		}
	}
	s, err := builtin.Load(arg)
	if err != nil {
		return nil, nil, cli.Usage(err)
	}
	session, err := p.Open(ctx, s, walk.SessionOptions{Learner: true})
	if err != nil {
		return nil, nil, err
	}
	if !session.Started() {
		return nil, nil, cli.Usage(fmt.Errorf("the walk %s has not started; `fluxdemo walk %s --learn%s` starts it", s.Walk.Name, arg, p.Flag()))
	}
	return s, session, nil
}

// learntName returns the name that runLearn has saved; "" if the file is damaged. The walk's position is in another file.
func learntName(raw []byte) string {
	name, whole := strings.CutSuffix(string(raw), "\n")
	if !whole || strings.ContainsAny(name, "\n\x00") {
		return ""
	}
	return name
}

// newLearnCommand makes a cobra command that acts on the current step of the walk that the user learns.
func newLearnCommand(o *cli.Options, use, short, long, example string, run func(cmd *cobra.Command, session *walk.Session, screen *plain.Screen) error) *cobra.Command {
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
			step, screen := &steps[session.Position()], newScreen(out)
			if err := run(cmd, session, screen); err != nil {
				return err
			}
			if at := session.Position(); at >= step.Number {
				screen.Why(step)
				if at == len(steps) {
					fmt.Fprintf(out, "\nThat was the last of %d steps. Press Enter where the walk runs: it cleans up.\n", len(steps))
					return nil
				}
				screen.Task(&steps[at], len(steps))
			}
			return nil
		},
	}
}

func newCheck(o *cli.Options) *cobra.Command {
	wait := false
	cmd := newLearnCommand(o, "check", "Say what is done of the step that you are learning",
		`Says within 2 s which checks of the current step of "fluxdemo walk NAME --learn"
pass, and of the others what was found and what is wanted. If all pass, the step
is done. If not, the exit code is 1.`,
		"  fluxdemo check\n  fluxdemo check --wait\n  fluxdemo check gitops",
		func(cmd *cobra.Command, session *walk.Session, screen *plain.Screen) error {
			step := &session.Walk().Steps[session.Position()]
			if wait {
				ctx, cancel := context.WithTimeout(cmd.Context(), waitingTime(step))
				defer cancel()
				if err := screen.UntilDone(ctx, session); !errors.Is(err, context.DeadlineExceeded) {
					return err
				}
			}
			err := session.Do(cmd.Context(), walk.Command{Action: walk.ActionTry}, nil)
			if unmet, is := errors.AsType[*walk.UnmetError](err); is {
				screen.Heading(step, len(session.Walk().Steps))
				screen.Results(unmet.Results)
				return exitCode(exitFailure)
			}
			if err == nil {
				if len(step.With(walk.Change)) == 0 {
					screen.Task(step, len(session.Walk().Steps)) // maybe not seen: it is done by looking
				}
				screen.Done(step)
			}
			return err
		})
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until all checks pass, or until their time is over")
	return cmd
}

// waitingTime is how long `fluxdemo check --wait` waits: for all checks of a step, one after the other.
func waitingTime(step *walk.Step) time.Duration {
	limit := 10 * time.Second // for a computer that is busy
	for _, check := range step.Checks() {
		limit += check.Timeout
	}
	return limit
}

func newTask(o *cli.Options) *cobra.Command {
	return newLearnCommand(o, "task", "Show the step that you are learning",
		`Shows the task of the current step of "fluxdemo walk NAME --learn".`,
		"  fluxdemo task\n  fluxdemo task gitops",
		func(_ *cobra.Command, session *walk.Session, screen *plain.Screen) error {
			steps := session.Walk().Steps
			screen.Task(&steps[session.Position()], len(steps))
			return nil
		})
}

func newHint(o *cli.Options) *cobra.Command {
	return newLearnCommand(o, "hint", "Show the next hint for the step that you are learning",
		`Shows a hint for the current step of "fluxdemo walk NAME --learn". Each call says
more than the one before; the last one shows the commands.`,
		"  fluxdemo hint\n  fluxdemo hint gitops",
		func(cmd *cobra.Command, session *walk.Session, screen *plain.Screen) error {
			if err := session.Do(cmd.Context(), walk.Command{Action: walk.ActionHint}, nil); err != nil {
				return err
			}
			step := &session.Walk().Steps[session.Position()]
			screen.Heading(step, len(session.Walk().Steps))
			screen.Hint(step, session.Hints())
			return nil
		})
}

func newSolve(o *cli.Options) *cobra.Command {
	return newLearnCommand(o, "solve", "Do the step that you are learning",
		"Undoes what you have done of the current step of `fluxdemo walk NAME --learn`,\nthen runs its commands and shows them.",
		"  fluxdemo solve\n  fluxdemo solve gitops",
		func(cmd *cobra.Command, session *walk.Session, screen *plain.Screen) error {
			return session.Do(cmd.Context(), walk.Command{Action: walk.ActionNext}, screen.Commands())
		})
}
