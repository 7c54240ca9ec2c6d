package waiting

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/object"
	"github.com/fluxdemo/fluxdemo/demo/ownership"
)

// NewReconcile returns the command `fluxdemo reconcile`.
func NewReconcile(o *cli.Options) *cobra.Command {
	var (
		namespace string
		source    bool
		timeout   time.Duration
	)
	cmd := &cobra.Command{
		Use:   "reconcile KIND/NAME...",
		Short: "Reconcile Flux objects now, one after the other",
		Long: `Asks Flux to reconcile an object, and waits until it has and the object is
ready. It does what flux reconcile does, and ends as soon as Flux is done, where
flux looks every two seconds: walks go back with it. On a cluster that others
use, it leaves their objects alone.`,
		Example: `  fluxdemo reconcile kustomization/apps --with-source
  fluxdemo reconcile gitrepository/flux-system receiver/flux-system`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeoutCause(cmd.Context(), timeout, fmt.Errorf("not within %s", timeout))
			defer cancel()
			cluster, err := o.Running(ctx)
			if err != nil {
				return err
			}
			r := &reconciler{namespace: namespace}
			if r.client, err = demo.Connect(cluster.Kubeconfig()); err != nil {
				return err
			}
			if r.owner, err = ownership.New(r.client, cluster); err != nil {
				return err
			}
			if r.kinds, err = object.FluxKinds(ctx, r.client); err != nil {
				return err
			}
			var objects []*unstructured.Unstructured
			for _, arg := range args {
				o, err := r.named(arg)
				if err != nil {
					return err
				}
				objects = append(objects, o)
			}
			if err := r.reconcile(ctx, objects, source); err != nil {
				return err
			}
			fmt.Fprintln(cmd.ErrOrStderr(), "Reconciled.")
			return nil
		},
	}
	cmd.Flags().StringVarP(&namespace, "namespace", "n", demo.FluxNamespace, "namespace of the objects")
	cmd.Flags().BoolVar(&source, "with-source", false, "reconcile the source of a Kustomization first")
	addTimeout(cmd.Flags(), &timeout, time.Minute)
	return cmd
}

// reconciler has Flux reconcile objects in a namespace.
type reconciler struct {
	client    client.WithWatch
	namespace string
	kinds     []schema.GroupVersionKind // that Flux has
	owner     *ownership.Owner
}

// ours returns an error if an object is not provably the demo's, nor made by a walk. The request is an annotation.
func (r *reconciler) ours(ctx context.Context, o *unstructured.Unstructured) error {
	there := o.DeepCopy()
	if err := r.client.Get(ctx, client.ObjectKeyFromObject(o), there); err != nil {
		return fmt.Errorf("reading %s: %w", object.Key(o), err)
	}
	if there.GetLabels()[demo.WalkLabel] != "" {
		return nil
	}
	err := r.owner.Check(ctx, there)
	if foreign, is := errors.AsType[*ownership.ForeignError](err); is {
		return cli.Usage(fmt.Errorf("%s is not this demo's (%s); flux reconcile asks for it all the same", object.Key(o), foreign.Why))
	}
	return err
}

// kind returns the kind with a name such as kustomization.
func (r *reconciler) kind(name string) (schema.GroupVersionKind, error) {
	var names []string
	for _, kind := range r.kinds {
		if strings.EqualFold(kind.Kind, name) {
			return kind, nil
		}
		names = append(names, strings.ToLower(kind.Kind))
	}
	slices.Sort(names)
	return schema.GroupVersionKind{}, cli.Usage(fmt.Errorf("Flux has no kind %q; it has %s", name, strings.Join(slices.Compact(names), ", ")))
}

// named returns the object that an argument names, as in kustomization/apps.
func (r *reconciler) named(arg string) (*unstructured.Unstructured, error) {
	kind, name, ok := strings.Cut(arg, "/")
	if !ok || kind == "" || name == "" {
		return nil, cli.Usage(fmt.Errorf("%s: want a kind and a name, for example kustomization/apps", arg))
	}
	gvk, err := r.kind(kind)
	if err != nil {
		return nil, err
	}
	return object.Named(gvk, r.namespace, name), nil
}

// source returns the object from which o takes its content.
func (r *reconciler) source(ctx context.Context, o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	there := o.DeepCopy()
	if err := r.client.Get(ctx, client.ObjectKeyFromObject(o), there); err != nil {
		return nil, fmt.Errorf("reading %s: %w", object.Key(o), err)
	}
	reference := func(field string) string { return object.Text(there, "spec", "sourceRef", field) }
	if reference("kind") == "" {
		return nil, cli.Usage(fmt.Errorf("%s has no source: leave --with-source out", object.Key(o)))
	}
	gvk, err := r.kind(reference("kind"))
	if err != nil {
		return nil, err
	}
	return object.Named(gvk, cmp.Or(reference("namespace"), o.GetNamespace()), reference("name")), nil
}

// reconcile has Flux reconcile objects, each with its source before it if withSource is set.
func (r *reconciler) reconcile(ctx context.Context, objects []*unstructured.Unstructured, withSource bool) error {
	for _, o := range objects {
		if withSource {
			source, err := r.source(ctx, o)
			if err != nil {
				return err
			}
			if err := r.ours(ctx, source); err != nil {
				return err
			}
			if err := object.Reconcile(ctx, r.client, source); err != nil {
				return err
			}
		}
		if err := r.ours(ctx, o); err != nil {
			return err
		}
		if err := object.Reconcile(ctx, r.client, o); err != nil {
			return err
		}
	}
	return nil
}
