package embedded

import (
	"context"
	"errors"
	"io/fs"

	"github.com/fluxdemo/fluxdemo/clusters/bundle"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/supervisor"
	"github.com/fluxdemo/fluxdemo/clusters/image"
	"github.com/fluxdemo/fluxdemo/clusters/internal/detached"
)

// SuperviseOptions is what Up passes to the supervisor that it starts, and
// what that knows of itself.
type SuperviseOptions struct {
	Dir         string                           // the cluster's folder
	Bundle      *bundle.Bundle                   // verified
	Programs    []image.Program                  // what the pods that run as processes run; all others are simulated
	Version     string                           // of fluxdemo
	Logf        func(format string, args ...any) // to the file that Up opened
	Port        int                              // of the API server; 0 for that of last time, or any free one
	AllowEgress bool                             // let pods reach the internet, from now on
	NoFence     bool                             // do not confine pods, this time
}

// Supervise runs the cluster in o.Dir until ctx ends or Down ends it. Up
// starts a process that calls it; see package supervisor.
func Supervise(ctx context.Context, o SuperviseOptions) error {
	settings, err := supervisor.LoadSettings(o.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	settings.AllowEgress = settings.AllowEgress || o.AllowEgress
	if o.Port != 0 {
		settings.Port, settings.FixedPort = o.Port, true
	}
	return supervisor.Run(ctx, supervisor.Options{
		Dir: o.Dir, Bundle: o.Bundle, Programs: o.Programs, Version: o.Version, Logf: o.Logf, NoFence: o.NoFence, Settings: settings,
	}, detached.Ready)
}
