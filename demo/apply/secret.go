package apply

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/ownership"
)

// Secret returns the data of a Secret, which it creates with data if need be.
func (a *Applier) Secret(ctx context.Context, namespace, name string, data map[string]string) (map[string]string, error) {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name,
			Labels: map[string]string{
				"app.kubernetes.io/part-of": "fluxdemo", "app.kubernetes.io/managed-by": "fluxdemo",
				ownership.MarkLabel: ownership.MarkValue,
			},
		},
		StringData: data,
	}
	// It is looked for first: on a cluster of others, what is about to be
	// made is recorded.
	there := &corev1.Secret{}
	err := a.client.Get(ctx, client.ObjectKeyFromObject(secret), there)
	switch {
	case apierrors.IsNotFound(err):
		if err := a.owner.Create(ctx, secret); err != nil {
			return nil, fmt.Errorf("creating Secret %s/%s: %w", namespace, name, err)
		}
		return data, nil
	case err != nil:
		return nil, fmt.Errorf("reading Secret %s/%s: %w", namespace, name, err)
	}
	if err := a.owner.Check(ctx, there); err != nil {
		return nil, err
	}
	return demo.SecretData(there), nil
}

// AddToSecret sets a key of a Secret that is there and the demo's.
func (a *Applier) AddToSecret(ctx context.Context, namespace, name, key, value string) error {
	secret := &corev1.Secret{}
	err := a.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret)
	if err == nil && string(secret.Data[key]) != value {
		err = a.owner.Patch(ctx, secret, map[string]any{"data": map[string]any{key: []byte(value)}})
	}
	if err != nil {
		return fmt.Errorf("setting %s in Secret %s/%s: %w", key, namespace, name, err)
	}
	return nil
}
