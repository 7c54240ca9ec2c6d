// Package pull stands in for pulling images, which the virtual node cannot do:
// it says which references name an image that the node has. With one that it
// has not, it does what a kubelet does, in its words: the attempts, the
// back-off between them, their events and reasons.
package pull

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluxdemo/fluxdemo/clusters/backoff"
	"github.com/fluxdemo/fluxdemo/clusters/image"
)

// Reasons of a container that waits, as kubelets give them.
const (
	reasonFailed  = "ErrImagePull"
	reasonBackOff = "ImagePullBackOff"
	reasonNever   = "ErrImageNeverPull"
)

const (
	// firstBackOff and longestBackOff are those of kubelets.
	firstBackOff, longestBackOff = 10 * time.Second, 5 * time.Minute
	// untilBackOff is how long a failed attempt is shown as such: a kubelet
	// speaks of a back-off when it looks at the pod again.
	untilBackOff = 2 * time.Second
)

// Missing returns why a reference to an image of a known repository names none
// of the repository's tags, and nil if it does. A reference without a tag means
// "latest". A digest is never there: the node has programs and no images.
func Missing(reference string, tags []string) error {
	tag := image.Tag(reference)
	if tag == "" {
		tag = "latest"
	}
	_, _, digest := strings.Cut(reference, "@")
	if !digest && slices.Contains(tags, tag) {
		return nil
	}
	have := slices.Compact(slices.Sorted(slices.Values(tags)))
	return fmt.Errorf("failed to resolve reference %q: not found: this cluster pulls no images, and has only %s:%s",
		reference, image.Repository(reference), strings.Join(have, ", :"))
}

// Explain says what a container waits for whose state has this reason.
func Explain(reason string) string {
	switch reason {
	case reasonFailed:
		return "image can't be pulled"
	case reasonBackOff:
		return "trying and failing to pull image"
	}
	return reason
}

// Failure is an image that the node has not, and a container that wants it.
type Failure struct {
	Reference string
	Policy    corev1.PullPolicy // of the container; empty means IfNotPresent
	Err       error             // from Missing
	// Event records an event of the pod.
	Event func(kind, reason, message string)
	// Waiting sets why the container waits.
	Waiting func(reason, message string)
}

// Show shows the failure on the pod until changed receives, because another
// image is wanted, or ctx ends. It reports false if ctx ended first.
func (f Failure) Show(ctx context.Context, changed <-chan struct{}) bool {
	if f.Policy == corev1.PullNever {
		message := fmt.Sprintf("Container image %q is not present with pull policy of Never", f.Reference)
		f.Event(corev1.EventTypeWarning, reasonNever, message)
		f.Event(corev1.EventTypeWarning, "Failed", "Error: "+reasonNever)
		f.Waiting(reasonNever, message)
		select {
		case <-changed:
			return true
		case <-ctx.Done():
			return false
		}
	}
	for retry := (backoff.Backoff{Min: firstBackOff, Max: longestBackOff}); ; {
		f.Event(corev1.EventTypeNormal, "Pulling", fmt.Sprintf("Pulling image %q", f.Reference))
		f.Event(corev1.EventTypeWarning, "Failed", fmt.Sprintf("Failed to pull image %q: %v", f.Reference, f.Err))
		f.Event(corev1.EventTypeWarning, "Failed", "Error: "+reasonFailed)
		f.Waiting(reasonFailed, f.Err.Error())
		if again, ended := pause(ctx, untilBackOff, changed); ended {
			return again
		}
		message := fmt.Sprintf("Back-off pulling image %q", f.Reference)
		f.Event(corev1.EventTypeNormal, "BackOff", message)
		f.Event(corev1.EventTypeWarning, "Failed", "Error: "+reasonBackOff)
		f.Waiting(reasonBackOff, fmt.Sprintf("%s: %s: %v", message, reasonFailed, f.Err))
		if again, ended := pause(ctx, retry.Next()-untilBackOff, changed); ended {
			return again
		}
	}
}

// pause waits for d. ended says that changed received, or that ctx ended.
func pause(ctx context.Context, d time.Duration, changed <-chan struct{}) (again, ended bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return false, false
	case <-changed:
		return true, true
	case <-ctx.Done():
		return false, true
	}
}
