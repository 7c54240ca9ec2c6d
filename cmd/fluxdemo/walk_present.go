package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/demo/walk/tui"
	"github.com/fluxdemo/fluxdemo/slides/stage"
)

// runPresented tells a walk in the terminal while a deck is on stage. Both drive one session: what the terminal does
// turns the slides, and the keys of the presenter's browser move the terminal.
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
		cancel() // without a stage there is nothing to go on with
	}()
	told := told{p.stage.Report(turns), session}
	err = tui.Run(ctx, told, tui.Options{
		In: cmd.InOrStdin(), Out: cmd.OutOrStdout(), Environ: os.Environ(), Type: !f.noType, Speed: f.speed,
		Note: "Audience: " + p.audience(), // the presenter's address is no text for a screen that others see
	})
	cancel()
	stopped := <-served
	if cmd.Context().Err() == nil && errors.Is(err, context.Canceled) {
		err = nil // the stage has ended, and says why
	}
	return errors.Join(err, stopped)
}

// told is a session on stage as the terminal needs it.
type told struct {
	stage.Session
	walk *walk.Session
}

// Rejoined implements tui.Session.
func (t told) Rejoined() bool { return t.walk.Rejoined() }

// inTurn lets one at a time work with a session: the terminal or the stage.
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
