package cli

import (
	"context"
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/embedded"
	"github.com/fluxdemo/fluxdemo/clusters/existing"
	"github.com/fluxdemo/fluxdemo/clusters/image"
	"github.com/fluxdemo/fluxdemo/clusters/kind"
	"github.com/fluxdemo/fluxdemo/demo/fleet"
	"github.com/fluxdemo/fluxdemo/demo/programs"
	"github.com/fluxdemo/fluxdemo/demo/shell"
)

// auto selects the provider that a cluster already has or, for a new cluster,
// the best one that works on this machine.
const auto = "auto"

// Sources of images: built from the bundle's programs, or pulled.
const (
	ImagesBundle   = "bundle"
	ImagesRegistry = "registry"
)

// Providers returns the providers of clusters, in order of preference.
func (o *Options) Providers() clusters.Providers {
	return clusters.Providers{
		{
			Name:      kind.Provider,
			Because:   "a container engine is running and has the node image, or can pull it",
			Available: func(ctx context.Context) error { return kind.Available(ctx, o.nodeImage) },
			Has:       func(name string) bool { return kind.Has(StateDir(), name) },
			New: func(name string) (clusters.Cluster, error) {
				return kind.New(name, o.KindOptions())
			},
		},
		{
			Name:      embedded.Provider,
			Because:   "it needs no container engine",
			Available: embedded.Available,
			Has:       func(name string) bool { return embedded.Has(StateDir(), name) },
			New: func(name string) (clusters.Cluster, error) {
				exe, err := Program()
				if err != nil {
					return nil, err
				}
				return embedded.New(name, embedded.Options{
					StateDir:    StateDir(),
					Stamp:       cacheFile("bundle.verified"),
					Program:     exe,
					BundleDir:   o.BundleDir,
					Port:        o.Port,
					AllowEgress: o.AllowEgress || o.GitURL != "", NoFence: o.NoFence,
					Children: children(),
				})
			},
		},
		o.existingProvider(),
	}
}

// KindOptions returns the options of the provider kind.
func (o *Options) KindOptions() kind.Options {
	return kind.Options{
		StateDir:  StateDir(),
		Children:  children(),
		NodeImage: o.nodeImage,
		Config:    o.kindConfig,
		Port:      o.Port,
		Retain:    o.retain,
		Official:  o.Images == ImagesRegistry,
		Images:    o.NodeImages,
	}
}

// children names the demo's files in a cluster's folder. down removes these
// and the cluster's own files, and no others.
func children() []string {
	return append(shell.Children(), WalksFolder, LearnFolder, FleetFolder, fleet.BeginningFile)
}

// Folders in a cluster's folder.
const (
	WalksFolder = "walks"
	LearnFolder = "learn"     // what learners make in the page's terminal
	FleetFolder = "fleet.git" // a copy of the Git host's repository
)

// Cluster returns the cluster that the flags name.
func (o *Options) Cluster() (clusters.Cluster, error) {
	if err := clusters.CheckName(o.Name); err != nil {
		return nil, Usage(err)
	}
	if err := CheckStateDir(); err != nil {
		return nil, err
	}
	providers := o.Providers()
	there, exists := providers.Of(o.Name)
	if o.Provider == auto {
		if !exists {
			// No provider has the cluster, so any of them reports that.
			var err error
			if there, err = providers.Get(embedded.Provider); err != nil {
				return nil, err
			}
		}
		return there.New(o.Name)
	}
	wanted, err := providers.Get(o.Provider)
	if err != nil {
		return nil, Usage(err)
	}
	if exists && there.Name != wanted.Name {
		return nil, Usage(fmt.Errorf("%q is a cluster of the provider %s; choose another name with --name, or remove it with `fluxdemo down`", o.Name, there.Name))
	}
	return wanted.New(o.Name)
}

// Choose selects the provider for up. It prints its choice unless the user or
// an earlier up has made it.
func (o *Options) Choose(ctx context.Context, out io.Writer) error {
	if err := clusters.CheckName(o.Name); err != nil {
		return Usage(err)
	}
	if err := checkNewStateDir(); err != nil {
		return err
	}
	if o.Provider != auto {
		return nil
	}
	if there, ok := o.Providers().Of(o.Name); ok {
		o.Provider = there.Name
		return nil
	}
	chosen, why, err := o.Providers().Choose(ctx)
	if err != nil {
		return err
	}
	o.Provider = chosen.Name
	fmt.Fprintf(out, "Cluster: %s (%s)\n", chosen.Name, why)
	return nil
}

// AddProviderFlags adds the flags of up that are for one provider only.
func (o *Options) AddProviderFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.nodeImage, "node-image", "", "kind: node image (default: the image of the kind release)")
	flags.StringVar(&o.kindConfig, "kind-config", "", "kind: `file` with a kind configuration to extend")
	flags.StringVar(&o.Images, "images", ImagesBundle, "kind: source of Flux's images; valid values: bundle, registry")
	flags.BoolVar(&o.retain, "retain", false, "kind: keep the nodes if the start fails")
	o.guest.addFlags(cmd)
	o.AddYes(cmd)
	_ = cmd.RegisterFlagCompletionFunc("context", o.completeContexts)
	_ = cmd.RegisterFlagCompletionFunc("images", cobra.FixedCompletions([]string{ImagesBundle, ImagesRegistry}, cobra.ShellCompDirectiveNoFileComp))
}

// CheckProviderFlags returns a usage error if a flag is for another provider
// than the selected one.
func (o *Options) CheckProviderFlags(cmd *cobra.Command) error {
	if o.Images != ImagesBundle && o.Images != ImagesRegistry {
		return Usage(fmt.Errorf("--images=%s: valid values: %s, %s", o.Images, ImagesBundle, ImagesRegistry))
	}
	for _, each := range []struct{ flag, provider string }{
		{"node-image", kind.Provider}, {"kind-config", kind.Provider}, {"images", kind.Provider}, {"retain", kind.Provider},
		{"allow-egress", embedded.Provider},
		{"context", existing.Provider}, {"kubeconfig", existing.Provider}, {"adopt-flux", existing.Provider}, {"image-registry", existing.Provider},
	} {
		if cmd.Flags().Changed(each.flag) && o.Provider != each.provider {
			return Usage(fmt.Errorf("--%s requires --cluster %s, and the cluster's provider is %s", each.flag, each.provider, o.Provider))
		}
	}
	return nil
}

// NodeImages returns the images to load into the nodes of a kind cluster: this
// program and Flux. With official, the images of Flux are the official ones
// that prefetch has pulled, otherwise they are built from the bundle. The nodes
// pull all others.
func (o *Options) NodeImages(_ context.Context, official bool) ([]image.Image, error) {
	rendered, err := o.Render()
	if err != nil {
		return nil, err
	}
	b, exe, err := o.programs()
	if err != nil {
		return nil, err
	}
	if !official {
		return image.Build(rendered.Images(), programs.All(b, exe), runtime.GOARCH)
	}
	references, err := o.OfficialImages()
	if err != nil {
		return nil, err
	}
	kept, _, err := image.Kept(KeptImages(), references)
	if err != nil {
		return nil, err
	}
	own, err := image.Build(rendered.Images(), []image.Program{programs.OwnProgram(exe)}, runtime.GOARCH)
	return append(kept, own...), err
}
