package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/output"
	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/demo/walk/tui"
	"github.com/fluxdemo/fluxdemo/slides/stage"
)

// runPresented runs a walk in the terminal while a deck is on stage. Both drive one session: commands in the terminal
// turn the slides, and keys in the presenter's browser control the terminal.
func (f *walkFlags) runPresented(cmd *cobra.Command, o *cli.Options, session *walk.Session) error {
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	turns := &inTurn{Session: session}
	p, err := openStage(ctx, o, f.present, 0, false, turns)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Audience:   %s\nPresenter:  %s\n", p.audience(), p.presenter())
	served := make(chan error, 1)
	go func() {
		served <- p.serve(ctx)
		cancel() // the walk cannot go on without the stage
	}()
	shown := presented{p.stage.Report(turns), session}
	err = tui.Run(ctx, shown, tui.Options{
		In: cmd.InOrStdin(), Out: output.Below(cmd.OutOrStdout()), Environ: os.Environ(), Type: !f.noType, Speed: f.speed,
		Note: "Audience: " + p.audience(), // not the presenter's, which has the token: others see this screen
	})
	cancel()
	stopped := <-served
	if cmd.Context().Err() == nil && errors.Is(err, context.Canceled) {
		err = nil // stopped has the reason
	}
	return errors.Join(err, stopped)
}

// presented is a session on stage as the terminal needs it.
type presented struct {
	stage.Session
	walk *walk.Session
}

// Rejoined implements tui.Session.
func (p presented) Rejoined() bool { return p.walk.Rejoined() }

// inTurn serializes the commands of the terminal and the stage to one session.
type inTurn struct {
	*walk.Session
	mu sync.Mutex
}

// Do implements stage.Session and tui.Session.
func (s *inTurn) Do(ctx context.Context, c walk.Command, ev walk.Events) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Session.Do(ctx, c, ev)
}
