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
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/install"
	"github.com/fluxdemo/fluxdemo/demo/ownership"
	"github.com/fluxdemo/fluxdemo/demo/programs"
	"github.com/fluxdemo/fluxdemo/demo/uninstall"
)

// guestOptions are the flags for a demo on somebody's cluster.
type guestOptions struct {
	kubeconfig    string
	context       string
	yes           bool
	adoptFlux     bool
	imageRegistry string

	removal *uninstall.Removal // of down, which has asked for it
}

func (g *guestOptions) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&g.kubeconfig, "kubeconfig", "", "existing: kubeconfig `file` to read (default: the one that kubectl reads)")
	flags.StringVar(&g.context, "context", "", "existing: `name` of the context to use; required")
	flags.BoolVar(&g.adoptFlux, "adopt-flux", false, "existing: use the Flux that is installed there")
	flags.StringVar(&g.imageRegistry, "image-registry", "", "existing: push all images to `HOST/PATH` and run them from there")
}

// AddYes adds the flag --yes, of verbs that ask before they change a cluster of others.
func (o *Options) AddYes(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&o.guest.yes, "yes", "y", false, "existing: do not ask for confirmation")
}

// existingProvider lets a demo be a guest on a cluster that is there.
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

// ConfirmEnter shows the cluster on which the demo is about to be a guest,
// and asks whether that is right. On other clusters, and on the second time,
// there is nothing to ask.
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
	fmt.Fprintf(out, "It gets Flux with its CRDs and cluster roles, and the namespaces\n%s.\n`fluxdemo down` takes them away again.\n\n", strings.Join(demo.Namespaces(), ", "))
	return o.Confirm(cmd, "Put the demo there?")
}

// ConfirmLeave shows what is about to be removed from a cluster of others,
// and asks whether that is right.
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
		return fmt.Errorf("%w; `fluxdemo down --keep-data` ends only what runs on this machine", err)
	}
	out := cmd.ErrOrStderr()
	if objects := o.guest.removal.Objects(); len(objects) > 0 {
		fmt.Fprintln(out, "The demo has made these. They are removed, but for what holds things of others:")
		for _, object := range objects {
			fmt.Fprintf(out, "  %s\n", object)
		}
		fmt.Fprintln(out)
	}
	PrintLeft(out, o.guest.removal.Left())
	for _, line := range o.guest.removal.Damaged() {
		fmt.Fprintf(out, "Line %d of %s is damaged: what it named may stay on the cluster.\n", line, filepath.Join(guest.Dir(), ownership.InventoryFile))
	}
	return o.Confirm(cmd, "Remove them?")
}

// Left returns what the last ConfirmLeave, and what followed it, has left alone
// on a cluster of others; nil on other clusters.
func (o *Options) Left() []ownership.Left {
	if o.guest.removal == nil {
		return nil
	}
	return o.guest.removal.Left()
}

// PrintLeft names what is left alone.
func PrintLeft(out io.Writer, left []ownership.Left) {
	if len(left) == 0 {
		return
	}
	fmt.Fprintln(out, "These are left alone:")
	for _, each := range left {
		fmt.Fprintf(out, "  %s: %s\n", each.Object, each.Why)
	}
	fmt.Fprintln(out)
}

// errNo is what a person says who does not want to.
var errNo = errors.New("nothing was changed")

// Confirm asks a question, unless --yes has answered it. Who cannot be asked
// has to say --yes.
func (o *Options) Confirm(cmd *cobra.Command, question string) error {
	if o.guest.yes {
		return nil
	}
	file, ok := cmd.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(file.Fd()) {
		return Usage(errors.New("this asks before it changes your cluster, and there is no terminal to ask on; --yes answers"))
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

// fit makes what is rendered fit a cluster that is not the demo's own.
func (o *Options) fit(ctx context.Context, cluster clusters.Cluster, rendered install.Rendered, steps clusters.Steps) (install.Rendered, error) {
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
	end := steps.Start("Images to " + o.guest.imageRegistry)
	err = o.push(ctx, rendered.Images())
	end(err)
	if err != nil {
		return rendered, err
	}
	return rendered.FromRegistry(o.guest.imageRegistry)
}

// push makes images of the bundle's programs and pushes them to the user's
// registry, with the credentials that docker has for it.
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
				return fmt.Errorf("pushing %s: %w; `docker login` makes you known to a registry", to, err)
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
