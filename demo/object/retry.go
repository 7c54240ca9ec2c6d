package object

import (
	"context"
	"fmt"
	"strings"
	"time"

	ssautils "github.com/fluxcd/pkg/ssa/utils"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Patience is how long an API server that has just started may refuse what
// it will take.
const Patience = 30 * time.Second

// Retry calls try again while it fails for a reason that passes on a cluster
// that has just started: a CRD that is not served yet (404), a service range
// that is not loaded yet (500, "range is full"), a namespace or a service
// account that is being made. There is nothing to watch for these.
func Retry(ctx context.Context, object *unstructured.Unstructured, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := try()
		if err == nil || !Passing(err) {
			return Applying(object, err)
		}
		select {
		case <-ctx.Done():
			return Applying(object, err)
		case <-ticker.C:
		}
	}
}

// Passing reports whether err is of a kind that disappears when a cluster has started.
func Passing(err error) bool {
	return meta.IsNoMatchError(err) || apierrors.IsNotFound(err) || apierrors.IsForbidden(err) ||
		apierrors.IsServiceUnavailable(err) || apierrors.IsTooManyRequests(err) ||
		apierrors.IsServerTimeout(err) || apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) ||
		strings.Contains(err.Error(), "range is full") || strings.Contains(err.Error(), "not yet") ||
		strings.Contains(err.Error(), "connection refused")
}

// Applying wraps err, if there is one, with the name of the object that was being applied.
func Applying(object *unstructured.Unstructured, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("applying %s: %w", ssautils.FmtUnstructured(object), err)
}
