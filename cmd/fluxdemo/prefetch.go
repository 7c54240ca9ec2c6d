package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/bundle"
	"github.com/fluxdemo/fluxdemo/clusters/image"
	"github.com/fluxdemo/fluxdemo/clusters/kind"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/progress"
)

// newPrefetch fetches what a talk needs while there is a network.
func newPrefetch(o *cli.Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "prefetch",
		Short: "Download everything up needs to run offline",
		Long: `Pulls the node image and, with --images registry, Flux's official images, and
keeps them. Then it tests, without a network, what up does with them: it reads
every byte, and starts the node image. Once it prints Ready, up works offline.`,
		Example: `  fluxdemo prefetch
  fluxdemo prefetch --cluster kind
  fluxdemo prefetch --cluster kind --images registry`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.Choose(cmd.Context(), cmd.ErrOrStderr()); err != nil {
				return err
			}
			if err := o.CheckProviderFlags(cmd); err != nil {
				return err
			}
			steps := progress.New(cmd.ErrOrStderr())
			err := prefetch(cmd.Context(), o, steps)
			steps.Close()
			if err != nil {
				return cli.AsUsage(err)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Ready: `fluxdemo up --cluster %s` needs no network.\n", o.Provider)
			return nil
		},
	}
	o.AddProviderFlags(cmd)
	return cmd
}

func prefetch(ctx context.Context, o *cli.Options, steps clusters.Steps) error {
	step := func(name string, work func() error) error {
		end := steps.Start(name)
		err := work()
		end(err)
		return err
	}
	b, err := bundle.Find(o.BundleDir)
	if err != nil {
		return err
	}
	if err := step("Bundle", func() error { return b.Verify("") }); err != nil || o.Provider != kind.Provider {
		return err
	}
	official := o.Images == cli.ImagesRegistry
	references, err := o.OfficialImages()
	if err != nil {
		return err
	}
	if official {
		if cli.KeptImages() == "" {
			return errors.New("HOME is not set: set it, or set XDG_CACHE_HOME to the folder in which images are to be kept")
		}
		for _, reference := range references {
			if err := step(filepath.Base(reference), func() error {
				return image.Keep(ctx, cli.KeptImages(), reference, runtime.GOARCH)
			}); err != nil {
				return err
			}
		}
	}
	cluster, err := kind.New(o.Name, o.KindOptions())
	if err != nil {
		return err
	}
	if err := cluster.Prefetch(ctx, steps); err != nil {
		return err
	}
	return step("Dry run of the pods' images", func() error {
		images, err := o.NodeImages(ctx, official)
		if err != nil {
			return err
		}
		if rendered, err := o.Render(); err != nil {
			return err
		} else if len(images) != len(rendered.Images()) {
			return errors.New("some images are neither made of the bundle nor kept")
		}
		for _, i := range images {
			if slices.Contains(references, i.Name) && official {
				if err := i.Check(); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
