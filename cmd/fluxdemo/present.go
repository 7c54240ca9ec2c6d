package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/serving"
	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/diagram/rollout"
	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/demo/walk/builtin"
	"github.com/fluxdemo/fluxdemo/slides/stage"
)

// stageFile is the file in which the stage of a cluster records its address.
func stageFile(o *cli.Options) string { return filepath.Join(cli.StateDir(), "."+o.Name+".stage.json") }

func newPresent(o *cli.Options) *cobra.Command {
	var port int
	var fresh bool
	cmd := &cobra.Command{
		Use:   "present DECK",
		Short: "Present a deck in the browser with live diagrams",
		Long: `Shows a deck in the browser until you press Ctrl-C. Diagrams light up as the
cluster changes, and slides that name a step of a walk run it.

The first address is for the audience. The second is for the presenter: it
contains a token, and anyone who has the token can control the talk. Edits of the
deck show at once. If the stage is killed, the next run resumes at its position.`,
		Example: `  fluxdemo present basics    # a built-in deck; the other is pitch
  fluxdemo present talk.md   # any Rabbit deck
  fluxdemo next              # advance it, from another shell`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeDecks,
		RunE: func(cmd *cobra.Command, args []string) error {
			if port < 0 || port > 65535 {
				return cli.Usage(fmt.Errorf("--port=%d: must be from 0 to 65535", port))
			}
			p, err := openStage(cmd.Context(), o, args[0], port, fresh, nil)
			if err != nil {
				return err
			}
			if p.note != "" {
				fmt.Fprintln(cmd.ErrOrStderr(), o.Called().Text(p.note))
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Audience:   %s\nPresenter:  %s\n", p.audience(), p.presenter())
			fmt.Fprintln(cmd.ErrOrStderr(), "Press Ctrl-C to end the presentation.")
			return p.serve(cmd.Context())
		},
	}
	cmd.Flags().IntVar(&port, "port", 0, "port on 127.0.0.1 (default: the last one, or any free port)")
	cmd.Flags().BoolVar(&fresh, "fresh", false, "start at the first slide, and start walks at their first step")
	return cmd
}

// opening is a stage that is ready to serve.
type opening struct {
	stage  *stage.Stage
	ln     net.Listener
	record *stage.Record
	file   string
	note   string // what the presenter should know
}

func (p *opening) audience() string  { return p.record.URL + "/" }
func (p *opening) presenter() string { return p.record.URL + "/presenter#token=" + p.record.Token }

// serve shows the deck until ctx ends.
func (p *opening) serve(ctx context.Context) error {
	err := p.stage.Serve(ctx, p.ln)
	p.record.Ended = true
	return errors.Join(err, p.record.Write(p.file))
}

// openStage prepares a stage. If the last stage showed the same deck, the new one takes over its address and position.
// session is one that a terminal drives; nil for none.
func openStage(ctx context.Context, o *cli.Options, file string, port int, fresh bool, session stage.Session) (*opening, error) {
	if err := clusters.CheckName(o.Name); err != nil {
		return nil, cli.Usage(err)
	}
	if err := cli.CheckStateDir(); err != nil {
		return nil, err
	}
	path, err := deckFile(file)
	if err != nil {
		return nil, cli.Usage(err)
	}
	p := &opening{file: stageFile(o), record: &stage.Record{Deck: path}}
	so := stage.Options{
		Deck: path, Defaults: binding.DemoDefaults(), Session: session,
		Planned: func(source string) map[string]string { return rollout.Planned(path, source) },
		Walks:   &stageWalks{o: o, dir: filepath.Dir(path), fresh: fresh},
		Keep: func(k stage.Kept) error {
			p.record.Kept = k
			return p.record.Write(p.file)
		},
	}
	before, err := stage.ReadRecord(p.file)
	var damaged *stage.DamagedError
	switch {
	case errors.Is(err, stage.ErrNoStage):
	case errors.As(err, &damaged):
		// A running stage rewrites it when the position changes.
		p.note = fmt.Sprintf("The position of the last talk is lost: %s is damaged.", damaged.File)
	case err != nil:
		return nil, err
	case before.Alive(ctx):
		return nil, fmt.Errorf("presenting %s: the deck %s is already presented at %s/; end that one first", filepath.Base(path), before.Deck, before.URL)
	case before.Deck == path:
		so.Token = before.Token
		if port == 0 {
			port = portOf(before.URL)
		}
		if !before.Ended && !fresh {
			so.From = &before.Kept
			p.note = fmt.Sprintf("Resuming at %s. To start at the first slide, use --fresh.", before.Position)
		}
	}
	watcher, followed, why := serving.Watch(ctx, o)
	if watcher != nil {
		so.Live, so.Charts = watcher, followed.Charts
	} else {
		p.note = strings.TrimPrefix(p.note+"\nDiagrams are not live: "+why.Error(), "\n")
	}
	if p.stage, err = stage.New(so); err != nil {
		return nil, cli.Usage(err)
	}
	p.record.Token = p.stage.Token()
	if p.ln, err = serving.Listen(ctx, port); err != nil {
		return nil, err
	}
	p.record.URL = "http://" + p.ln.Addr().String()
	return p, nil
}

func portOf(address string) int {
	u, err := url.Parse(address)
	if err != nil {
		return 0
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		return 0
	}
	return port
}

// stageWalks are the walks that slides name. Find needs no cluster; Open does.
type stageWalks struct {
	o     *cli.Options
	dir   string // the deck's folder: relative paths of walks start there
	fresh bool
}

func (w *stageWalks) load(name string) (*builtin.Chain, error) {
	if strings.ContainsAny(name, "/.") && !filepath.IsAbs(name) {
		name = filepath.Join(w.dir, name)
	}
	return builtin.Load(name)
}

// Find implements stage.Walks.
func (w *stageWalks) Find(name string) (*walk.Walk, error) {
	s, err := w.load(name)
	if err != nil {
		return nil, err
	}
	return s.Walk, nil
}

// Open implements stage.Walks.
func (w *stageWalks) Open(ctx context.Context, name string) (stage.Session, error) {
	s, err := w.load(name)
	if err != nil {
		return nil, err
	}
	p, err := w.o.Environment(ctx)
	if err != nil {
		return nil, err
	}
	return p.Open(ctx, s, walk.SessionOptions{Fresh: w.fresh, Rejoin: !w.fresh})
}

// stageCommandTime is longer than the slowest step takes.
const stageCommandTime = 10 * time.Minute

// newStageCommand makes a cobra command that sends a command to the running stage.
func newStageCommand(o *cli.Options, cmd *cobra.Command, send func(ctx context.Context, r *stage.Record, args []string) (stage.Answer, error)) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := clusters.CheckName(o.Name); err != nil {
			return cli.Usage(err)
		}
		if err := cli.CheckStateDir(); err != nil {
			return err
		}
		record, err := stage.ReadRecord(stageFile(o))
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), stageCommandTime)
		defer cancel()
		answer, err := send(ctx, record, args)
		var wrong *stage.RequestError
		if errors.As(err, &wrong) {
			return cli.Usage(err)
		}
		if err != nil {
			return err
		}
		out := cmd.OutOrStdout()
		fmt.Fprintln(out, answer.Position)
		if s := answer.Step; s != nil {
			fmt.Fprintf(out, "%s %d/%d %s: %s\n", s.Walk, s.Number, s.Of, s.Title, s.Phase)
		}
		return nil
	}
	return cmd
}

func newNext(o *cli.Options) *cobra.Command {
	return newStageCommand(o, &cobra.Command{
		Use:   "next",
		Short: "Advance the running presentation",
		Long: `Does what the key → does in the browser: it shows the next fragment, runs the
step of the slide, or turns to the next slide. It returns when a step has ended,
and fails if the step failed.`,
		Example: `  fluxdemo next
  fluxdemo next --name second`,
		Args: cobra.NoArgs,
	}, func(ctx context.Context, r *stage.Record, _ []string) (stage.Answer, error) {
		return r.Next(ctx)
	})
}

func newBack(o *cli.Options) *cobra.Command {
	return newStageCommand(o, &cobra.Command{
		Use:   "back",
		Short: "Move the running presentation back, undoing a step",
		Example: `  fluxdemo back
  fluxdemo back --name second`,
		Args: cobra.NoArgs,
	}, func(ctx context.Context, r *stage.Record, _ []string) (stage.Answer, error) {
		return r.Back(ctx)
	})
}

func newGoto(o *cli.Options) *cobra.Command {
	return newStageCommand(o, &cobra.Command{
		Use:   "goto SLIDE",
		Short: "Turn the running presentation to a slide",
		Long: `Turns to a slide, given by its number, its title, or the end of its address in
the browser. Steps are neither run nor undone.`,
		Example: `  fluxdemo goto 7
  fluxdemo goto gitops/2     # after its second fragment`,
		Args: cobra.ExactArgs(1),
	}, func(ctx context.Context, r *stage.Record, args []string) (stage.Answer, error) {
		slide, waits, _ := strings.Cut(strings.TrimPrefix(args[0], "#/"), "/")
		last := -1
		if n, err := strconv.Atoi(waits); err == nil {
			last = n - 1
		} else if waits != "" {
			slide = args[0] // the slash is the title's own
		}
		return r.GoTo(ctx, slide, last)
	})
}
