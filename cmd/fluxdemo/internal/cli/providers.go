package cli

import (
	"context"
	"errors"
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

// auto is the provider that a cluster has already or, for a new one, the best
// that this machine can run.
const auto = "auto"

// Where images come from: made of the bundle's programs, or pulled.
const (
	ImagesBundle   = "bundle"
	ImagesRegistry = "registry"
)

// Providers lists the providers of clusters, the preferred one first.
func (o *Options) Providers() clusters.Providers {
	return clusters.Providers{
		{
			Name:      kind.Provider,
			Because:   "a container engine answers and has the node image, or can get it",
			Available: func(ctx context.Context) error { return kind.Available(ctx, o.nodeImage) },
			Has:       func(name string) bool { return kind.Has(StateDir(), name) },
			New: func(name string) (clusters.Cluster, error) {
				return kind.New(name, o.KindOptions())
			},
		},
		{
			Name:      embedded.Provider,
			Because:   "it needs nothing but this machine",
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
					AllowEgress: o.AllowEgress || o.GitURL != "",
					Children:    children(),
				})
			},
		},
		o.existingProvider(),
	}
}

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

// children names what the demo keeps in a cluster's folder, beside the
// cluster's own. `down` removes these and no others.
func children() []string {
	return append(shell.Children(), WalksFolder, FleetFolder, fleet.BeginningFile)
}

const (
	WalksFolder = "walks"
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
			// There is no cluster, as any provider will say.
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
		return nil, Usage(fmt.Errorf("%q is a cluster of %s; choose another name with --name, or remove it with `fluxdemo down`", o.Name, there.Name))
	}
	return wanted.New(o.Name)
}

// Choose settles on a provider for up, and says so if neither the user nor an
// earlier up has.
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

// AddProviderFlags adds the flags of up that only some providers have.
func (o *Options) AddProviderFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.nodeImage, "node-image", "", "kind: node image (default: the one of the kind release)")
	flags.StringVar(&o.kindConfig, "kind-config", "", "kind: configuration `file` to start from")
	flags.StringVar(&o.Images, "images", ImagesBundle, "kind: source of Flux's images; valid values: bundle, registry")
	flags.BoolVar(&o.retain, "retain", false, "kind: keep the nodes if the start fails")
	o.guest.addFlags(cmd)
	o.AddYes(cmd)
	_ = cmd.RegisterFlagCompletionFunc("context", o.completeContexts)
	_ = cmd.RegisterFlagCompletionFunc("images", cobra.FixedCompletions([]string{ImagesBundle, ImagesRegistry}, cobra.ShellCompDirectiveNoFileComp))
}

// CheckProviderFlags returns a usage error if a flag is not for the provider
// that was chosen.
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
			return Usage(fmt.Errorf("--%s is for --cluster %s, and this is %s", each.flag, each.provider, o.Provider))
		}
	}
	return nil
}

// AsUsage marks mistakes in what the user gave to a provider.
func AsUsage(err error) error {
	var config *kind.ConfigError
	var named *existing.ContextError
	if errors.As(err, &config) || errors.As(err, &named) {
		return Usage(err)
	}
	return err
}

// NodeImages returns what the nodes of a kind cluster run: this program, and
// Flux as the bundle has it or, if it is to be the official one, as prefetch
// has kept it. The nodes pull what is not among it.
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
