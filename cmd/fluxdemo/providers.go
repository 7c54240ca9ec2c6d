package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/bundle"
	"github.com/fluxdemo/fluxdemo/clusters/embedded"
	"github.com/fluxdemo/fluxdemo/clusters/existing"
	"github.com/fluxdemo/fluxdemo/clusters/image"
	"github.com/fluxdemo/fluxdemo/clusters/kind"
	"github.com/fluxdemo/fluxdemo/demo/fleet"
	"github.com/fluxdemo/fluxdemo/demo/programs"
	"github.com/fluxdemo/fluxdemo/demo/shell"
)

// auto is the provider that a cluster has already or, for a new one, the best
// that this machine can run.
const auto = "auto"

// Where images come from: made of the bundle's programs, or pulled.
const (
	imagesBundle   = "bundle"
	imagesRegistry = "registry"
)

// providers lists the providers of clusters, the preferred one first.
func (o *options) providers() clusters.Providers {
	return clusters.Providers{
		{
			Name:      kind.Provider,
			Because:   "a container engine answers and has the node image, or can get it",
			Available: func(ctx context.Context) error { return kind.Available(ctx, o.nodeImage) },
			Has:       func(name string) bool { return kind.Has(stateDir(), name) },
			New: func(name string) (clusters.Cluster, error) {
				return kind.New(name, o.kindOptions())
			},
		},
		{
			Name:      embedded.Provider,
			Because:   "it needs nothing but this machine",
			Available: embedded.Available,
			Has:       func(name string) bool { return embedded.Has(stateDir(), name) },
			New: func(name string) (clusters.Cluster, error) {
				exe, err := program()
				if err != nil {
					return nil, err
				}
				return embedded.New(name, embedded.Options{
					StateDir:    stateDir(),
					Stamp:       cacheFile("bundle.verified"),
					Program:     exe,
					BundleDir:   o.bundleDir,
					Port:        o.port,
					AllowEgress: o.allowEgress || o.gitURL != "",
					Children:    children(),
				})
			},
		},
		o.existingProvider(),
	}
}

func (o *options) kindOptions() kind.Options {
	return kind.Options{
		StateDir:  stateDir(),
		Children:  children(),
		NodeImage: o.nodeImage,
		Config:    o.kindConfig,
		Port:      o.port,
		Retain:    o.retain,
		Official:  o.images == imagesRegistry,
		Images:    o.nodeImages,
	}
}

// children names what the demo keeps in a cluster's folder, beside the
// cluster's own. `down` removes these and no others.
func children() []string {
	return append(shell.Children(), walksFolder, fleetFolder, fleet.BeginningFile)
}

const (
	walksFolder = "walks"
	fleetFolder = "fleet.git" // a copy of the Git host's repository
)

// cluster returns the cluster that the flags name.
func (o *options) cluster() (clusters.Cluster, error) {
	if err := clusters.CheckName(o.name); err != nil {
		return nil, usageError{err}
	}
	if err := checkStateDir(); err != nil {
		return nil, err
	}
	providers := o.providers()
	there, exists := providers.Of(o.name)
	if o.provider == auto {
		if !exists {
			// There is no cluster, as any provider will say.
			var err error
			if there, err = providers.Get(embedded.Provider); err != nil {
				return nil, err
			}
		}
		return there.New(o.name)
	}
	wanted, err := providers.Get(o.provider)
	if err != nil {
		return nil, usageError{err}
	}
	if exists && there.Name != wanted.Name {
		return nil, usageError{fmt.Errorf("%q is a cluster of %s; choose another name with --name, or remove it with `fluxdemo down`", o.name, there.Name)}
	}
	return wanted.New(o.name)
}

// choose settles on a provider for up, and says so if neither the user nor an
// earlier up has.
func (o *options) choose(ctx context.Context, out io.Writer) error {
	if err := clusters.CheckName(o.name); err != nil {
		return usageError{err}
	}
	if err := checkNewStateDir(); err != nil {
		return err
	}
	if o.provider != auto {
		return nil
	}
	if there, ok := o.providers().Of(o.name); ok {
		o.provider = there.Name
		return nil
	}
	chosen, why, err := o.providers().Choose(ctx)
	if err != nil {
		return err
	}
	o.provider = chosen.Name
	fmt.Fprintf(out, "Cluster: %s (%s)\n", chosen.Name, why)
	return nil
}

// addProviderFlags adds the flags of up that only some providers have.
func (o *options) addProviderFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.nodeImage, "node-image", "", "kind: node image (default: the one of the kind release)")
	flags.StringVar(&o.kindConfig, "kind-config", "", "kind: configuration `file` to start from")
	flags.StringVar(&o.images, "images", imagesBundle, "kind: source of Flux's images; valid values: bundle, registry")
	flags.BoolVar(&o.retain, "retain", false, "kind: keep the nodes if the start fails")
	o.guest.addFlags(cmd)
	_ = cmd.RegisterFlagCompletionFunc("context", o.completeContexts)
	_ = cmd.RegisterFlagCompletionFunc("images", cobra.FixedCompletions([]string{imagesBundle, imagesRegistry}, cobra.ShellCompDirectiveNoFileComp))
}

// checkProviderFlags returns a usage error if a flag is not for the provider
// that was chosen.
func (o *options) checkProviderFlags(cmd *cobra.Command) error {
	if o.images != imagesBundle && o.images != imagesRegistry {
		return usageError{fmt.Errorf("--images=%s: valid values: %s, %s", o.images, imagesBundle, imagesRegistry)}
	}
	for _, each := range []struct{ flag, provider string }{
		{"node-image", kind.Provider}, {"kind-config", kind.Provider}, {"images", kind.Provider}, {"retain", kind.Provider},
		{"allow-egress", embedded.Provider},
		{"context", existing.Provider}, {"kubeconfig", existing.Provider}, {"adopt-flux", existing.Provider}, {"image-registry", existing.Provider},
	} {
		if cmd.Flags().Changed(each.flag) && o.provider != each.provider {
			return usageError{fmt.Errorf("--%s is for --cluster %s, and this is %s", each.flag, each.provider, o.provider)}
		}
	}
	return nil
}

// asUsage marks mistakes in what the user gave to a provider.
func asUsage(err error) error {
	var config *kind.ConfigError
	var named *existing.ContextError
	if errors.As(err, &config) || errors.As(err, &named) {
		return usageError{err}
	}
	return err
}

// nodeImages returns what the nodes of a kind cluster run: this program, and
// Flux as the bundle has it or, if it is to be the official one, as prefetch
// has kept it. The nodes pull what is not among it.
func (o *options) nodeImages(_ context.Context, official bool) ([]image.Image, error) {
	rendered, err := o.render()
	if err != nil {
		return nil, err
	}
	b, err := bundle.Find(o.bundleDir)
	if err != nil {
		return nil, err
	}
	exe, err := program()
	if err != nil {
		return nil, err
	}
	if !official {
		return image.Build(rendered.Images(), programs.All(b, exe), runtime.GOARCH)
	}
	references, err := o.officialImages()
	if err != nil {
		return nil, err
	}
	kept, _, err := image.Kept(keptImages(), references)
	if err != nil {
		return nil, err
	}
	own, err := image.Build(rendered.Images(), []image.Program{programs.OwnProgram(exe)}, runtime.GOARCH)
	return append(kept, own...), err
}
