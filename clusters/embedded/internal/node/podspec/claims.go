package podspec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
)

// claimTimeout is how long the API may take to say what a claim is bound to.
const claimTimeout = 10 * time.Second

// ClaimsAPI is what claimed volumes need of the Kubernetes API.
type ClaimsAPI interface {
	corev1client.PersistentVolumeClaimsGetter
	corev1client.PersistentVolumesGetter
}

// claimed returns the folder of the PersistentVolume that a volume of the pod
// is bound to by its claim. Whatever path the PersistentVolume names, the folder
// lies below hostDir.
func (s Volumes) claimed(ctx context.Context, v *corev1.Volume, hostDir string) (string, error) {
	name := s.Pod.Name + "-" + v.Name // of an ephemeral volume's claim
	if v.PersistentVolumeClaim != nil {
		name = v.PersistentVolumeClaim.ClaimName
	}
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	claim, err := s.Claims.PersistentVolumeClaims(s.Pod.Namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case err != nil:
		return "", fmt.Errorf("volume %q: %w", v.Name, err)
	case v.Ephemeral != nil && !metav1.IsControlledBy(claim, s.Pod):
		return "", fmt.Errorf("volume %q: the claim %q is not the pod's own", v.Name, name)
	case claim.Status.Phase != corev1.ClaimBound:
		return "", fmt.Errorf("volume %q: the claim %q is not bound", v.Name, name)
	}
	volume, err := s.Claims.PersistentVolumes().Get(ctx, claim.Spec.VolumeName, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("volume %q: %w", v.Name, err)
	}
	if of := volume.Spec.ClaimRef; of == nil || of.UID != claim.UID {
		return "", fmt.Errorf("volume %q: the volume %q is another claim's", v.Name, volume.Name)
	}
	path, err := volumePath(volume)
	if err != nil {
		return "", fmt.Errorf("volume %q: %w", v.Name, err)
	}
	if err := makeBelow(hostDir, path); err != nil {
		return "", fmt.Errorf("volume %q: %w", v.Name, err)
	}
	return filepath.Join(hostDir, path), nil
}

// volumePath returns the path of a volume, relative to what stands for the
// host's root.
func volumePath(volume *corev1.PersistentVolume) (string, error) {
	if mode := volume.Spec.VolumeMode; mode != nil && *mode == corev1.PersistentVolumeBlock {
		return "", errors.New("the virtual node has no block devices: use volumeMode Filesystem")
	}
	var path string
	switch {
	case volume.Spec.HostPath != nil:
		path = volume.Spec.HostPath.Path
	case volume.Spec.Local != nil:
		path = volume.Spec.Local.Path
	default:
		return "", fmt.Errorf("the virtual node does not support the kind of PersistentVolume %q: use hostPath or local", volume.Name)
	}
	return strings.TrimPrefix(filepath.Clean("/"+path), "/"), nil
}

// makeBelow makes a folder and those above it. It follows no symbolic link out
// of dir.
func makeBelow(dir, path string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("creating a folder: %w", err)
	}
	defer root.Close()
	if path == "" {
		return nil
	}
	if err := root.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("creating a folder (is the disk full or read-only?): %w", err)
	}
	if _, err := root.Stat(path); err != nil {
		return fmt.Errorf("opening the volume's folder: %w", err)
	}
	return nil
}
