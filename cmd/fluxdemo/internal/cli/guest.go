package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/charmbracelet/x/term"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/existing"
	"github.com/fluxdemo/fluxdemo/clusters/image"
	"github.com/fluxdemo/fluxdemo/clusters/steps"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/install"
	"github.com/fluxdemo/fluxdemo/demo/ownership"
	"github.com/fluxdemo/fluxdemo/demo/programs"
	"github.com/fluxdemo/fluxdemo/demo/uninstall"
)

// guestOptions are the flags for a demo on an existing cluster.
type guestOptions struct {
	kubeconfig    string
	context       string
	yes           bool
	adoptFlux     bool
	imageRegistry string

	removal *uninstall.Removal // what down has shown and removes
}

func (g *guestOptions) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&g.kubeconfig, "kubeconfig", "", "existing: kubeconfig `file` to read (default: the one that kubectl reads)")
	flags.StringVar(&g.context, "context", "", "existing: `name` of the context to use; required")
	flags.BoolVar(&g.adoptFlux, "adopt-flux", false, "existing: use the Flux that the cluster already has")
	flags.StringVar(&g.imageRegistry, "image-registry", "", "existing: push all images to `HOST/PATH` and run them from there")
}

// AddYes adds the flag --yes to a command that asks before it changes an existing cluster.
func (o *Options) AddYes(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&o.guest.yes, "yes", "y", false, "existing: do not ask for confirmation")
}

// existingProvider returns the provider that installs the demo on an existing cluster.
func (o *Options) existingProvider() clusters.Provider {
	return clusters.Provider{
		Name:      existing.Provider,
		Available: existing.Available,
		Has:       func(name string) bool { return existing.Has(StateDir(), name) },
		New: func(name string) (clusters.Cluster, error) {
			exe, err := Program()
			if err != nil {
				return nil, err
			}
			return existing.New(name, existing.Options{
				StateDir: StateDir(), Program: exe, Kubeconfig: o.guest.kubeconfig, Context: o.guest.context,
				Namespaces: demo.Namespaces(),
				Adopt: func(ctx context.Context, config *rest.Config) ([]string, error) {
					return demo.Adopt(ctx, config, o.guest.adoptFlux)
				},
				Fits: func(ctx context.Context, config *rest.Config, adopted bool) error {
					rendered, err := o.Render()
					if err != nil {
						return err
					}
					if adopted {
						rendered = rendered.WithoutFlux()
					}
					return rendered.Free(ctx, config)
				},
				Clean:    func(ctx context.Context) error { return o.guest.removal.Run(ctx) },
				Children: children(),
			})
		},
	}
}

// ConfirmEnter shows the existing cluster that up is about to change, and asks
// for confirmation. It asks once for each cluster, and never for other
// providers.
func (o *Options) ConfirmEnter(cmd *cobra.Command, cluster clusters.Cluster) error {
	guest, ok := cluster.(clusters.Guest)
	if !ok || guest.Entered() {
		return nil
	}
	target, err := guest.Target()
	if err != nil {
		return err
	}
	out := cmd.ErrOrStderr()
	fmt.Fprintf(out, "This cluster is not fluxdemo's own:\n\n  context  %s\n  server   %s\n  user     %s\n\n", target.Context, target.Server, target.User)
	fmt.Fprintf(out, "up installs Flux with its CRDs and cluster roles, and the namespaces\n%s.\n`%s` removes them.\n\n",
		strings.Join(demo.Namespaces(), ", "), o.Called().Command("down"))
	return o.Confirm(cmd, "Install the demo?")
}

// ConfirmLeave shows what down is about to remove from an existing cluster,
// and asks for confirmation.
func (o *Options) ConfirmLeave(cmd *cobra.Command, cluster clusters.Cluster) error {
	guest, ok := cluster.(clusters.Guest)
	if !ok || !guest.Entered() {
		return nil
	}
	look := func() error {
		if err := guest.Verify(cmd.Context()); err != nil {
			return err
		}
		var err error
		o.guest.removal, err = uninstall.Look(cmd.Context(), guest)
		return err
	}
	if err := look(); err != nil {
		return fmt.Errorf("%w; `fluxdemo down --keep-data` stops only what runs on this machine", err)
	}
	out := cmd.ErrOrStderr()
	if objects := o.guest.removal.Objects(); len(objects) > 0 {
		fmt.Fprintln(out, "The demo created these objects. down removes them, except those that\nhold objects of others:")
		for _, object := range objects {
			fmt.Fprintf(out, "  %s\n", object)
		}
		fmt.Fprintln(out)
	}
	PrintLeft(out, o.guest.removal.Left())
	for _, line := range o.guest.removal.Damaged() {
		fmt.Fprintf(out, "Line %d of %s is damaged: the object that it named may stay on the cluster.\n", line, filepath.Join(guest.Dir(), ownership.InventoryFile))
	}
	return o.Confirm(cmd, "Remove these objects?")
}

// Left returns the objects that the last ConfirmLeave, and the removal after
// it, have kept on an existing cluster; nil for other providers.
func (o *Options) Left() []ownership.Left {
	if o.guest.removal == nil {
		return nil
	}
	return o.guest.removal.Left()
}

// PrintLeft lists the objects that the demo keeps, and why.
func PrintLeft(out io.Writer, left []ownership.Left) {
	if len(left) == 0 {
		return
	}
	fmt.Fprintln(out, "These objects are kept:")
	for _, each := range left {
		fmt.Fprintf(out, "  %s: %s\n", each.Object, each.Why)
	}
	fmt.Fprintln(out)
}

// errNo is the error when the user answers no.
var errNo = errors.New("nothing was changed")

// Confirm asks a question on the terminal, unless --yes is set. Without a
// terminal and --yes it fails.
func (o *Options) Confirm(cmd *cobra.Command, question string) error {
	if o.guest.yes {
		return nil
	}
	file, ok := cmd.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(file.Fd()) {
		return Usage(errors.New("asking for confirmation: there is no terminal; use --yes to change your cluster without asking"))
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s [y/N] ", question)
	answer, err := bufio.NewReader(file).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		return errNo
	}
	return nil
}

// fit adapts the rendered manifests to an existing cluster.
func (o *Options) fit(ctx context.Context, cluster clusters.Cluster, rendered install.Rendered, report clusters.Steps) (install.Rendered, error) {
	guest, ok := cluster.(clusters.Guest)
	if !ok {
		return rendered, nil
	}
	if guest.Adopted() {
		rendered = rendered.WithoutFlux()
	}
	claim, err := guest.MakesVolumes(ctx)
	if err != nil {
		return rendered, err
	}
	rendered = rendered.OffTheNode(claim)
	if o.guest.imageRegistry == "" {
		return rendered, nil
	}
	push := func(ctx context.Context) error { return o.push(ctx, rendered.Images()) }
	if err := steps.One(ctx, report, "Images to "+o.guest.imageRegistry, push); err != nil {
		return rendered, err
	}
	return rendered.FromRegistry(o.guest.imageRegistry)
}

// push builds images of the bundle's programs and pushes them to the user's
// registry with docker's credentials.
func (o *Options) push(ctx context.Context, names []string) error {
	b, exe, err := o.programs()
	if err != nil {
		return err
	}
	images, err := image.Build(names, programs.All(b, exe), runtime.GOARCH)
	if err != nil {
		return err
	}
	return pushTo(ctx, o.guest.imageRegistry, images)
}

func pushTo(ctx context.Context, registry string, images []image.Image) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(3) // an upload is as wide as the line is
	for _, each := range images {
		to := install.InRegistry(registry, each.Name)
		reference, err := name.ParseReference(to)
		if err != nil {
			return Usage(fmt.Errorf("--image-registry=%s: %w", registry, err))
		}
		group.Go(func() error {
			err := remote.Write(reference, each.Image, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
			if err != nil {
				return fmt.Errorf("pushing %s: %w; if the registry needs credentials, run `docker login`", to, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// completeContexts lists the contexts of the user's kubeconfig.
func (o *Options) completeContexts(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	names, err := existing.Contexts(o.guest.kubeconfig)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return slices.Clone(names), cobra.ShellCompDirectiveNoFileComp
}
