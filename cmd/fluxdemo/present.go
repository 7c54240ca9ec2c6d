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
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/diagram/live"
	"github.com/fluxdemo/fluxdemo/demo/diagram/rollout"
	"github.com/fluxdemo/fluxdemo/demo/load/pace"
	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/demo/walk/builtin"
	"github.com/fluxdemo/fluxdemo/slides/stage"
)

// stageFile is where the stage of a cluster leaves how to reach it.
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
				return cli.Usage(fmt.Errorf("--port=%d: a port is a number from 0 to 65535", port))
			}
			p, err := openStage(cmd.Context(), o, args[0], port, fresh, nil)
			if err != nil {
				return err
			}
			if p.note != "" {
				fmt.Fprintln(cmd.ErrOrStderr(), p.note)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Audience:   %s\nPresenter:  %s\n", p.audience(), p.presenter())
			fmt.Fprintln(cmd.ErrOrStderr(), "On stage until you press Ctrl-C.")
			return p.serve(cmd.Context())
		},
	}
	cmd.Flags().IntVar(&port, "port", 0, "port on 127.0.0.1 (default: the last one, else any free one)")
	cmd.Flags().BoolVar(&fresh, "fresh", false, "start at the first slide, and start walks at their first step")
	return cmd
}

// performance is a stage that is about to open.
type performance struct {
	stage  *stage.Stage
	ln     net.Listener
	record *stage.Record
	file   string
	note   string // what the speaker should know
}

func (p *performance) audience() string  { return p.record.URL + "/" }
func (p *performance) presenter() string { return p.record.URL + "/presenter#token=" + p.record.Token }

// serve shows the deck until ctx ends.
func (p *performance) serve(ctx context.Context) error {
	err := p.stage.Serve(ctx, p.ln)
	p.record.Ended = true
	return errors.Join(err, p.record.Write(p.file))
}

// openStage prepares a stage, at the address and at the place of the one before it if that has shown the same deck.
// told is the session that a terminal tells; nil for none.
func openStage(ctx context.Context, o *cli.Options, file string, port int, fresh bool, told stage.Session) (*performance, error) {
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
	p := &performance{file: stageFile(o), record: &stage.Record{Deck: path}}
	so := stage.Options{
		Deck: path, Defaults: binding.DemoDefaults(), Told: told,
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
		// A stage that runs writes it anew with its next move.
		p.note = fmt.Sprintf("Where the last talk was is lost: %s was damaged.", damaged.File)
	case err != nil:
		return nil, err
	case before.Alive(ctx):
		return nil, fmt.Errorf("the deck %s is on stage already, at %s/; end that first", before.Deck, before.URL)
	case before.Deck == path:
		so.Token = before.Token
		if port == 0 {
			port = portOf(before.URL)
		}
		if !before.Ended && !fresh {
			so.From = &before.Kept
			p.note = fmt.Sprintf("It goes on where it was: %s. --fresh starts at the first slide.", before.Place)
		}
	}
	watcher, followed, why := watch(ctx, o)
	if watcher != nil {
		so.Live, so.Charts = watcher, followed.Charts
	} else {
		p.note = strings.TrimPrefix(p.note+"\nDiagrams stay still: "+why.Error(), "\n")
	}
	if p.stage, err = stage.New(so); err != nil {
		return nil, cli.Usage(err)
	}
	p.record.Token = p.stage.Token()
	if p.ln, err = listen(ctx, port); err != nil {
		return nil, err
	}
	p.record.URL = "http://" + p.ln.Addr().String()
	return p, nil
}

// watch follows the cluster until ctx ends. Without a cluster there is nothing to follow, and the error says so.
func watch(ctx context.Context, o *cli.Options) (*live.Watcher, *pace.Followers, error) {
	cluster, err := o.Running(ctx)
	if err != nil {
		return nil, nil, err
	}
	followed, err := pace.NewFollowers(ctx, cluster.Kubeconfig())
	if err != nil {
		return nil, nil, err
	}
	urls, err := demo.FindURLs(ctx, followed.Client, cluster)
	if err != nil {
		return nil, nil, err
	}
	watcher, err := live.Start(ctx, live.Options{Config: followed.Config, GitURL: urls.Git, InboxURL: urls.Inbox})
	return watcher, followed, err
}

// listen opens a port on loopback, another one when somebody else has taken it.
func listen(ctx context.Context, port int) (net.Listener, error) {
	var config net.ListenConfig
	ln, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil && port != 0 {
		ln, err = config.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("listen on 127.0.0.1: %w", err)
	}
	return ln, nil
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

// stageWalks are the walks that slides name. They can be looked at without a cluster.
type stageWalks struct {
	o     *cli.Options
	dir   string // the deck's: walks of the speaker's own are beside it
	fresh bool
}

func (w *stageWalks) story(name string) (*builtin.Chain, error) {
	if strings.ContainsAny(name, "/.") && !filepath.IsAbs(name) {
		name = filepath.Join(w.dir, name)
	}
	return builtin.Load(name)
}

// Find implements stage.Walks.
func (w *stageWalks) Find(name string) (*walk.Walk, error) {
	s, err := w.story(name)
	if err != nil {
		return nil, err
	}
	return s.Walk, nil
}

// Open implements stage.Walks.
func (w *stageWalks) Open(ctx context.Context, name string) (stage.Session, error) {
	s, err := w.story(name)
	if err != nil {
		return nil, err
	}
	p, err := w.o.Environment(ctx)
	if err != nil {
		return nil, err
	}
	return p.Open(ctx, s, walk.SessionOptions{Fresh: w.fresh, Rejoin: !w.fresh})
}

// moveTime is above what the slowest step takes.
const moveTime = 10 * time.Minute

// newMove makes a verb that moves the stage.
func newMove(o *cli.Options, cmd *cobra.Command, move func(ctx context.Context, r *stage.Record, args []string) (stage.Answer, error)) *cobra.Command {
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
		ctx, cancel := context.WithTimeout(cmd.Context(), moveTime)
		defer cancel()
		answer, err := move(ctx, record, args)
		var wrong *stage.RequestError
		if errors.As(err, &wrong) {
			return cli.Usage(err)
		}
		if err != nil {
			return err
		}
		out := cmd.OutOrStdout()
		fmt.Fprintln(out, answer.Place)
		if s := answer.Step; s != nil {
			fmt.Fprintf(out, "%s %d/%d %s: %s\n", s.Walk, s.Number, s.Of, s.Title, s.Phase)
		}
		return nil
	}
	return cmd
}

func newNext(o *cli.Options) *cobra.Command {
	return newMove(o, &cobra.Command{
		Use:   "next",
		Short: "Advance the running presentation",
		Long: `Does what the key → does in the browser: it shows the next fragment, runs the
step of the slide, or turns to the next slide. It returns when a step has ended,
and fails if the step failed.`,
		Example: `  fluxdemo next
  fluxdemo next --name second`,
		Args: cobra.NoArgs,
	}, func(ctx context.Context, r *stage.Record, _ []string) (stage.Answer, error) {
		return r.Move(ctx, "next")
	})
}

func newBack(o *cli.Options) *cobra.Command {
	return newMove(o, &cobra.Command{
		Use:   "back",
		Short: "Move the running presentation back, undoing a step",
		Example: `  fluxdemo back
  fluxdemo back --name second`,
		Args: cobra.NoArgs,
	}, func(ctx context.Context, r *stage.Record, _ []string) (stage.Answer, error) {
		return r.Move(ctx, "back")
	})
}

func newGoto(o *cli.Options) *cobra.Command {
	return newMove(o, &cobra.Command{
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
