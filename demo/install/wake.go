package install

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/object"
)

// wake asks Flux to restore what was taken away behind its back: a Kustomization of the beginning, or the sample app.
// Flux itself would notice at its next interval. It does nothing while Flux is at work, as after the first push.
func (in *installation) wake(ctx context.Context, names []string) error {
	there := map[string]*unstructured.Unstructured{}
	for _, o := range demo.Sync(names)[1:] { // without the GitRepository
		switch err := in.client.Get(ctx, client.ObjectKeyFromObject(o), o); {
		case err == nil:
			there[o.GetName()] = o
		case !apierrors.IsNotFound(err):
			return fmt.Errorf("reading %s: %w", object.Key(o), err)
		}
	}
	for _, o := range there {
		if unready, err := object.Unready(o); err != nil || unready != "" {
			return err
		}
	}
	if len(there) == len(names) {
		app := demo.App()
		err := in.client.Get(ctx, client.ObjectKeyFromObject(app), app)
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("reading %s: %w", object.Key(app), err)
		}
		if err == nil && object.RolloutOf(app).Wanted > 0 {
			return nil
		}
	}
	token := time.Now().Format(time.RFC3339Nano)
	for _, o := range there {
		if err := in.owner.Leave(in.owner.Patch(ctx, o, object.Request(token))); client.IgnoreNotFound(err) != nil {
			return object.Applying(o, err)
		}
	}
	return nil
}
