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
	"github.com/fluxdemo/fluxdemo/demo/programs"
)

// newPrefetch fetches what a talk needs while there is a network.
func newPrefetch(o *options) *cobra.Command {
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
			if err := o.choose(cmd.Context(), cmd.ErrOrStderr()); err != nil {
				return err
			}
			if err := o.checkProviderFlags(cmd); err != nil {
				return err
			}
			steps := newStepPrinter(cmd.ErrOrStderr())
			err := o.prefetch(cmd.Context(), steps)
			steps.close()
			if err != nil {
				return asUsage(err)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Ready: `fluxdemo up --cluster %s` needs no network.\n", o.provider)
			return nil
		},
	}
	o.addProviderFlags(cmd)
	return cmd
}

func (o *options) prefetch(ctx context.Context, steps clusters.Steps) error {
	step := func(name string, work func() error) error {
		end := steps.Start(name)
		err := work()
		end(err)
		return err
	}
	b, err := bundle.Find(o.bundleDir)
	if err != nil {
		return err
	}
	if err := step("Bundle", func() error { return b.Verify("") }); err != nil || o.provider != kind.Provider {
		return err
	}
	official := o.images == imagesRegistry
	references, err := o.officialImages()
	if err != nil {
		return err
	}
	if official {
		if keptImages() == "" {
			return errors.New("HOME is not set: set it, or set XDG_CACHE_HOME to the folder in which images are to be kept")
		}
		for _, reference := range references {
			if err := step(filepath.Base(reference), func() error {
				return image.Keep(ctx, keptImages(), reference, runtime.GOARCH)
			}); err != nil {
				return err
			}
		}
	}
	cluster, err := kind.New(o.name, o.kindOptions())
	if err != nil {
		return err
	}
	if err := cluster.Prefetch(ctx, steps); err != nil {
		return err
	}
	return step("Dry run of the pods' images", func() error {
		images, err := o.nodeImages(ctx, official)
		if err != nil {
			return err
		}
		if rendered, err := o.render(); err != nil {
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

// keptImages is the folder of the images that were pulled to be kept, "" if
// there is no place for it.
func keptImages() string { return cacheFile("images") }

// officialImages lists the names of Flux's own images that the demo runs.
func (o *options) officialImages() ([]string, error) {
	rendered, err := o.render()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(rendered.Images(), func(reference string) bool {
		return image.Repository(reference) == programs.Own
	}), nil
}
