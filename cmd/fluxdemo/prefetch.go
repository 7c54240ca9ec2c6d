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
	"github.com/fluxdemo/fluxdemo/clusters/steps"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/progress"
)

// newPrefetch downloads what up needs while there is a network.
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
			report := progress.New(cmd.ErrOrStderr())
			err := prefetch(cmd.Context(), o, report)
			report.Close()
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Ready: `%s` needs no network.\n", o.Called().Command("up --cluster "+o.Provider))
			return nil
		},
	}
	o.AddProviderFlags(cmd)
	return cmd
}

func prefetch(ctx context.Context, o *cli.Options, report clusters.Steps) error {
	b, err := bundle.Find(o.BundleDir)
	if err != nil {
		return err
	}
	whole := func(context.Context) error { return b.Verify("") }
	if err := steps.One(ctx, report, "Bundle", whole); err != nil || o.Provider != kind.Provider {
		return err
	}
	references, err := o.OfficialImages()
	if err != nil {
		return err
	}
	official := o.Images == cli.ImagesRegistry
	if official && cli.KeptImages() == "" {
		return errors.New("HOME is not set: set it, or set XDG_CACHE_HOME to the folder for images")
	}
	var table []steps.Step
	if official {
		for _, reference := range references {
			table = append(table, steps.Step{Name: filepath.Base(reference), Do: func(ctx context.Context) error {
				return image.Keep(ctx, cli.KeptImages(), reference, runtime.GOARCH)
			}})
		}
	}
	table = append(table,
		steps.Step{Name: "node image", Hidden: true, Do: func(ctx context.Context) error {
			cluster, err := kind.New(o.Name, o.KindOptions())
			if err != nil {
				return err
			}
			return cluster.Prefetch(ctx, report)
		}},
		steps.Step{Name: "Dry run of the pods' images", Do: func(ctx context.Context) error {
			images, err := o.NodeImages(ctx, official)
			if err != nil {
				return err
			}
			return checkImages(o, images, references)
		}},
	)
	// One after the other: a download is as wide as the line is.
	return steps.RunUnnamed(ctx, report, steps.Sequence(table...)...)
}

// checkImages returns an error unless images are all that up needs, and those of them with these references whole.
func checkImages(o *cli.Options, images []image.Image, references []string) error {
	if rendered, err := o.Render(); err != nil {
		return err
	} else if len(images) != len(rendered.Images()) {
		return errors.New("some images are neither in the bundle nor downloaded")
	}
	for _, i := range images {
		if o.Images == cli.ImagesRegistry && slices.Contains(references, i.Name) {
			if err := i.Check(); err != nil {
				return err
			}
		}
	}
	return nil
}
