package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/called"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/output"
	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/demo/walk/builtin"
	"github.com/fluxdemo/fluxdemo/demo/walk/plain"
	"github.com/fluxdemo/fluxdemo/demo/walk/report"
	"github.com/fluxdemo/fluxdemo/demo/walk/tui"
)

// walkFlags are the flags of the command walk.
type walkFlags struct {
	auto, all, learn, dryRun, json, plain, noType bool
	junit, record, present                        string
	step, speed                                   int
}

func newWalk(o *cli.Options) *cobra.Command {
	f := &walkFlags{}
	cmd := &cobra.Command{
		Use:   "walk NAME",
		Short: "Run a walk on the cluster, one step at a time",
		Long: `Runs a walk: shows what each step is about and its commands, runs them when you
press Enter, and checks the result. You can go back, skip a step, and quit; the
next run resumes at your position.

The walks: ` + strings.Join(builtin.Names(), ", ") + `.
To run a walk of your own, give the path of its Markdown file.`,
		Example: `  fluxdemo walk gitops               # on stage
  fluxdemo walk gitops --learn       # type the commands yourself
  fluxdemo walk ./mine.md --auto     # run all steps and check them`,
		Args: func(cmd *cobra.Command, args []string) error {
			if f.all {
				return cobra.NoArgs(cmd, args)
			}
			return cobra.ExactArgs(1)(cmd, args)
		},
		ValidArgsFunction: cobra.FixedCompletions(builtin.Names(), cobra.ShellCompDirectiveDefault),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return cli.Usage(err)
			}
			chains, err := f.chains(args)
			if err != nil {
				return cli.Usage(err)
			}
			if f.dryRun {
				for _, s := range chains {
					plain.DryRun(s.Walk, newScreen(cmd.OutOrStdout()), max(f.step-1, 0))
				}
				return nil
			}
			env, err := o.Environment(cmd.Context())
			if err != nil {
				return err
			}
			switch {
			case f.auto:
				return f.runAuto(cmd, env, chains)
			case f.learn:
				return f.runLearn(cmd, o, env, chains[0])
			default:
				return f.runStage(cmd, o, env, chains[0])
			}
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.auto, "auto", false, "run all steps without prompting; fail if a check fails")
	flags.BoolVar(&f.all, "all", false, "with --auto: run all built-in walks, one after the other")
	flags.BoolVar(&f.json, "json", false, "with --auto: print a line of JSON for each step, command, and check")
	flags.StringVar(&f.junit, "junit", "", "with --auto: write a JUnit report to this `file`")
	flags.BoolVar(&f.dryRun, "dry-run", false, "print the commands without running them")
	flags.StringVar(&f.record, "record", "", "record the walk for asciinema to this `file`")
	flags.StringVar(&f.present, "present", "", "present this `deck` in the browser, in step with the walk")
	flags.IntVar(&f.step, "step", 0, "start at this step; earlier steps run first, without output")
	flags.BoolVar(&f.learn, "learn", false, "show each step and wait until you have done it")
	flags.BoolVar(&f.plain, "plain", false, "print plain lines instead of the full-screen view")
	flags.BoolVar(&f.noType, "no-type", false, "show commands at once instead of character by character")
	flags.IntVar(&f.speed, "speed", tui.DefaultSpeed, "characters per second")
	cmd.AddCommand(newWalkLint())
	return cmd
}

// check returns an error for flags that exclude each other or are out of range.
func (f *walkFlags) check() error {
	switch {
	case f.auto && f.learn:
		return errors.New("--auto and --learn exclude each other: --auto runs the steps, --learn waits until you have done them")
	case (f.json || f.junit != "" || f.all && !f.dryRun) && !f.auto:
		return errors.New("--all, --json, and --junit require --auto")
	case f.learn && (f.record != "" || f.step != 0):
		return errors.New("--learn resumes at your position: remove --step and --record")
	case f.present != "" && (f.auto || f.learn || f.dryRun || f.plain || f.record != ""):
		return errors.New("--present needs the full-screen view: remove --auto, --learn, --dry-run, --plain, and --record")
	case f.all && f.step != 0:
		return errors.New("--step is for one walk: remove --all")
	case f.step < 0:
		return fmt.Errorf("--step=%d: must be at least 1", f.step)
	case f.speed <= 0:
		return fmt.Errorf("--speed=%d: must be greater than 0 characters per second", f.speed)
	}
	return nil
}

// chains loads the walks to run.
func (f *walkFlags) chains(args []string) ([]*builtin.Chain, error) {
	if f.all {
		return builtin.All()
	}
	s, err := builtin.Load(args[0])
	if err != nil {
		return nil, err
	}
	if n := len(s.Walk.Steps); f.step > n {
		return nil, fmt.Errorf("--step=%d: the walk %s has %d steps", f.step, s.Walk.Name, n)
	}
	return []*builtin.Chain{s}, nil
}

// newScreen makes a screen on a command's output. It lets only text of others pass itself.
func newScreen(out io.Writer) *plain.Screen { return plain.NewScreen(output.Below(out), os.Environ()) }

// screen makes a screen that writes to out and, with --record, to the recording. Call done at the end.
func (f *walkFlags) screen(out io.Writer, title string) (screen *plain.Screen, done func() error, err error) {
	screen = newScreen(out)
	if f.record == "" {
		return screen, func() error { return nil }, nil
	}
	file, err := os.Create(f.record)
	if err != nil {
		return nil, nil, cli.Usage(fmt.Errorf("--record: %w", err))
	}
	cast, err := report.NewCast(file, title)
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	screen.Record(cast)
	return screen, func() error { return errors.Join(cast.Err(), file.Close()) }, nil
}

// runAuto runs the walks without asking. It runs all of them, even if one fails.
func (f *walkFlags) runAuto(cmd *cobra.Command, env *cli.Environment, chains []*builtin.Chain) (err error) {
	// Data goes to stdout, and text for people to stderr.
	out, lines := cmd.OutOrStdout(), io.Writer(nil)
	if f.json {
		out, lines = cmd.ErrOrStderr(), cmd.OutOrStdout()
	}
	kept := report.New(lines)
	if f.junit != "" {
		file, err := os.Create(f.junit)
		if err != nil {
			return cli.Usage(fmt.Errorf("--junit: %w", err))
		}
		defer func() { err = errors.Join(err, kept.WriteJUnit(file), file.Close()) }()
	}
	title := "fluxdemo walk --all"
	if !f.all {
		title = chains[0].Walk.Title
	}
	screen, done, err := f.screen(out, title)
	if err != nil {
		return err
	}
	var failed error
	for i, s := range chains {
		if i > 0 {
			fmt.Fprintln(out)
		}
		if err := env.Allows(s); f.all && err != nil {
			fmt.Fprintf(out, "Skipped: %v\n", err)
			continue
		}
		events := kept.Begin(s.Walk)
		err := autoOne(cmd.Context(), env, s, screen, plain.AutoOptions{From: max(f.step-1, 0), Events: events})
		failed = errors.Join(failed, err, kept.End(err))
		if cmd.Context().Err() != nil {
			break
		}
	}
	return errors.Join(failed, done())
}

func autoOne(ctx context.Context, env *cli.Environment, s *builtin.Chain, screen *plain.Screen, o plain.AutoOptions) error {
	session, err := env.Open(ctx, s, walk.SessionOptions{Fresh: true})
	if err != nil {
		return err
	}
	err = plain.Auto(ctx, session, screen, o)
	var step *walk.StepError
	if errors.As(err, &step) && ctx.Err() == nil {
		again := env.Called()
		err = fmt.Errorf("%w\nTo retry from this step: %s --step %d. To investigate: %s, %s.",
			err, again.Command("walk "+called.Quote(s.Arg)), max(step.Step.Number, 1), again.Command("status"), again.Command("logs"))
	}
	return err
}

// runStage runs a walk in front of an audience.
func (f *walkFlags) runStage(cmd *cobra.Command, o *cli.Options, env *cli.Environment, s *builtin.Chain) error {
	ctx := cmd.Context()
	session, err := env.Open(ctx, s, walk.SessionOptions{Rejoin: true})
	if err != nil {
		return err
	}
	screen, done, err := f.screen(cmd.OutOrStdout(), s.Walk.Title)
	if err != nil {
		return err
	}
	if f.step > 0 {
		if err := plain.Start(ctx, session, screen, plain.AutoOptions{From: f.step - 1}); err != nil {
			return errors.Join(err, done())
		}
	}
	if f.present != "" {
		if !isStage(cmd.InOrStdin(), cmd.OutOrStdout()) {
			return cli.Usage(errors.New("--present needs a terminal with colours; without one, use `fluxdemo present`"))
		}
		return f.runPresented(cmd, o, session)
	}
	if f.record == "" && !f.plain && isStage(cmd.InOrStdin(), cmd.OutOrStdout()) {
		return tui.Run(ctx, session, tui.Options{
			In: cmd.InOrStdin(), Out: output.Below(cmd.OutOrStdout()), Environ: os.Environ(), Type: !f.noType, Speed: f.speed,
		})
	}
	return errors.Join(plain.Interactive(ctx, session, screen, cmd.InOrStdin()), done())
}

// isStage reports whether in and out are a terminal that can show the full-screen view.
func isStage(in io.Reader, out io.Writer) bool {
	keys, is := in.(*os.File)
	if _, drawable := output.Terminal(out); !is || !term.IsTerminal(keys.Fd()) || !drawable {
		return false
	}
	return os.Getenv("NO_COLOR") == ""
}
