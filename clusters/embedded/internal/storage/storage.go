// Package storage gives PersistentVolumeClaims folders: it makes a default
// StorageClass, a folder and a PersistentVolume for each claim of it, and removes
// both when the claim is gone. All folders lie in one folder of the cluster's
// state, whatever an object says.
package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"

	"github.com/fluxdemo/fluxdemo/clusters/backoff"
	"github.com/fluxdemo/fluxdemo/clusters/internal/informer"
)

const (
	// ClassName is the name of the default StorageClass, the same as on kind.
	ClassName = "standard"
	// Provisioner is what StorageClasses name that this package serves.
	Provisioner = "fluxdemo.github.io/folder"
	// folders is where all volumes are, below the host's root.
	folders = "volumes"

	annotationProvisionedBy = "pv.kubernetes.io/provisioned-by"
	annotationProvisioner   = "volume.kubernetes.io/storage-provisioner"
	annotationFolder        = "fluxdemo.github.io/folder" // on this machine
	finalizer               = "fluxdemo.github.io/folder"

	requestTimeout = 10 * time.Second
)

// Config is what a Controller needs. Logf may be nil.
type Config struct {
	Client kubernetes.Interface
	// Dir is what stands for the root of the node's host. It need not exist. A
	// PersistentVolume names the folder of its data relative to it.
	Dir  string
	Logf func(format string, args ...any)
}

// Controller provides volumes. Make it with New, and call Run once.
type Controller struct {
	cfg     Config
	factory informers.SharedInformerFactory
	claims  cache.SharedIndexInformer
	volumes cache.SharedIndexInformer
	queue   workqueue.TypedRateLimitingInterface[key]
	events  record.EventRecorder
}

// key is a claim or, without a namespace, a volume.
type key struct{ namespace, name string }

// New returns a controller that does nothing until Run.
func New(cfg Config) (*Controller, error) {
	if cfg.Logf == nil {
		cfg.Logf = func(string, ...any) {}
	}
	factory := informers.NewSharedInformerFactory(cfg.Client, 0)
	c := &Controller{
		cfg: cfg, factory: factory,
		claims:  factory.Core().V1().PersistentVolumeClaims().Informer(),
		volumes: factory.Core().V1().PersistentVolumes().Informer(),
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[key](50*time.Millisecond, 10*time.Second)),
	}
	_, claims := c.claims.AddEventHandler(informer.OnEach(func(claim *corev1.PersistentVolumeClaim, _ bool) {
		c.queue.Add(key{claim.Namespace, claim.Name})
	}))
	_, volumes := c.volumes.AddEventHandler(informer.OnEach(func(volume *corev1.PersistentVolume, _ bool) {
		c.queue.Add(key{"", volume.Name})
	}))
	if err := errors.Join(claims, volumes); err != nil {
		return nil, fmt.Errorf("preparing the watch on claims: %w", err)
	}
	return c, nil
}

// Run makes the StorageClass, unless there is one of its name, and serves claims
// until ctx ends. The API server has to answer by then, and may go away for a
// while later. It returns nil.
func (c *Controller) Run(ctx context.Context) error {
	broadcaster := record.NewBroadcaster(record.WithContext(ctx))
	defer broadcaster.Shutdown()
	broadcaster.StartRecordingToSink(&corev1client.EventSinkImpl{Interface: c.cfg.Client.CoreV1().Events("")})
	c.events = broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "fluxdemo-storage"})

	retry, reported := backoff.Backoff{Min: 50 * time.Millisecond, Max: 2 * time.Second}, ""
	for {
		err := c.ensureClass(ctx)
		if err == nil {
			break
		}
		if err.Error() != reported && ctx.Err() == nil {
			reported = err.Error()
			c.cfg.Logf("storage: %v", err)
		}
		if !retry.Wait(ctx) {
			return nil
		}
	}
	c.factory.StartWithContext(ctx)
	defer c.factory.Shutdown()
	if !cache.WaitFor(ctx, "", c.claims.HasSyncedChecker(), c.volumes.HasSyncedChecker()) {
		return nil
	}
	var worker sync.WaitGroup
	worker.Go(func() {
		for c.next(ctx) {
		}
	})
	<-ctx.Done()
	c.queue.ShutDown()
	worker.Wait()
	return nil
}

// ensureClass makes the default StorageClass. One that is there stays as it is:
// the user may have changed it.
func (c *Controller) ensureClass(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	policy := corev1.PersistentVolumeReclaimDelete
	// There is one node only: a claim need not wait for the pod that uses it.
	binding := storagev1.VolumeBindingImmediate
	class := &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{Name: ClassName, Annotations: map[string]string{
			"storageclass.kubernetes.io/is-default-class": "true",
		}},
		Provisioner: Provisioner, ReclaimPolicy: &policy, VolumeBindingMode: &binding,
	}
	_, err := c.cfg.Client.StorageV1().StorageClasses().Create(ctx, class, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("creating the StorageClass %s: %w", ClassName, err)
	}
	return nil
}

// next does what is next in the queue. It reports false when the queue has ended.
func (c *Controller) next(ctx context.Context) bool {
	item, ended := c.queue.Get()
	if ended {
		return false
	}
	defer c.queue.Done(item)
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var err error
	if item.namespace == "" {
		err = c.syncVolume(ctx, item.name)
	} else {
		err = c.syncClaim(ctx, item)
	}
	if err == nil || ctx.Err() != nil && errors.Is(err, context.Canceled) {
		c.queue.Forget(item)
		return true
	}
	if !apierrors.IsConflict(err) {
		c.cfg.Logf("storage: %s: %v", path.Join(item.namespace, item.name), err)
	}
	c.queue.AddRateLimited(item)
	return true
}

// syncClaim provides a claim with a volume, if it wants one of this provisioner.
func (c *Controller) syncClaim(ctx context.Context, item key) error {
	object, exists, err := c.claims.GetStore().GetByKey(item.namespace + "/" + item.name)
	if err != nil || !exists {
		return err
	}
	claim, ok := object.(*corev1.PersistentVolumeClaim)
	// Kubernetes names the provisioner when no volume that there is fits.
	if !ok || claim.Spec.VolumeName != "" || claim.DeletionTimestamp != nil || claim.Annotations[annotationProvisioner] != Provisioner {
		return nil
	}
	if claim.Spec.StorageClassName == nil {
		return nil
	}
	class, err := c.cfg.Client.StorageV1().StorageClasses().Get(ctx, *claim.Spec.StorageClassName, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("reading the claim's StorageClass: %w", err)
	}
	if problem := unsupported(claim); problem != "" {
		c.events.Event(claim, corev1.EventTypeWarning, "ProvisioningFailed", problem)
		return nil // until the claim changes
	}
	volume := c.volumeFor(claim, class)
	if err := c.inFolders(func(root *os.Root) error { return root.MkdirAll(volume.Name, 0o700) }); err != nil {
		err = fmt.Errorf("making the volume's folder (is the disk full or read-only?): %w", err)
		c.events.Event(claim, corev1.EventTypeWarning, "ProvisioningFailed", err.Error())
		return err
	}
	_, err = c.cfg.Client.CoreV1().PersistentVolumes().Create(ctx, volume, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil // the next thing that is heard of the claim is that it is bound
	}
	if err != nil {
		return fmt.Errorf("creating the claim's volume: %w", err)
	}
	c.events.Event(claim, corev1.EventTypeNormal, "ProvisioningSucceeded", "Successfully provisioned volume "+volume.Name)
	return nil
}

// unsupported says what a claim wants that folders are not.
func unsupported(claim *corev1.PersistentVolumeClaim) string {
	switch {
	case claim.Spec.VolumeMode != nil && *claim.Spec.VolumeMode == corev1.PersistentVolumeBlock:
		return "the embedded cluster has no block devices: use volumeMode Filesystem"
	case claim.Spec.Selector != nil:
		return "a claim with a selector gets no new volume: create a PersistentVolume that fits, or remove the selector"
	case claim.Spec.DataSource != nil || claim.Spec.DataSourceRef != nil:
		return "the embedded cluster has no snapshots and clones: remove dataSource and dataSourceRef"
	}
	return ""
}

// volumeFor returns the volume of a claim. Its name is the claim's UID: it is the
// same however often it is tried, and names a folder of its own.
func (c *Controller) volumeFor(claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass) *corev1.PersistentVolume {
	name := "pvc-" + string(claim.UID)
	policy, kind := corev1.PersistentVolumeReclaimDelete, corev1.HostPathDirectoryOrCreate
	if class.ReclaimPolicy != nil {
		policy = *class.ReclaimPolicy
	}
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Finalizers: []string{finalizer},
			Annotations: map[string]string{
				annotationProvisionedBy: Provisioner,
				annotationFolder:        filepath.Join(c.cfg.Dir, folders, name),
			},
		},
		Spec: corev1.PersistentVolumeSpec{
			AccessModes: claim.Spec.AccessModes, VolumeMode: claim.Spec.VolumeMode, StorageClassName: class.Name,
			PersistentVolumeReclaimPolicy: policy,
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]},
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				HostPath: &corev1.HostPathVolumeSource{Path: path.Join("/", folders, name), Type: &kind},
			},
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name,
				UID: claim.UID, ResourceVersion: claim.ResourceVersion,
			},
		},
	}
}

// syncVolume removes a volume that nothing claims any more, if it is one of this
// provisioner, with its folder. Which one that is follows from the volume's name
// alone, never from what the object says.
func (c *Controller) syncVolume(ctx context.Context, name string) error {
	object, exists, err := c.volumes.GetStore().GetByKey(name)
	if err != nil || !exists {
		return err
	}
	volume, ok := object.(*corev1.PersistentVolume)
	if !ok || volume.Annotations[annotationProvisionedBy] != Provisioner {
		return nil
	}
	deleting, deletes := volume.DeletionTimestamp != nil, volume.Spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimDelete
	released := volume.Status.Phase == corev1.VolumeReleased && deletes
	if !released && (!deleting || volume.Status.Phase == corev1.VolumeBound) {
		return nil
	}
	if deletes {
		if err := c.removeFolder(volume); err != nil {
			c.events.Event(volume, corev1.EventTypeWarning, "VolumeFailedDelete", err.Error())
			return err
		}
	}
	volumes := c.cfg.Client.CoreV1().PersistentVolumes()
	if !deleting {
		options := metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(volume.UID))}
		if err := volumes.Delete(ctx, name, options); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("deleting the volume: %w", err)
		}
		return nil // what follows comes with the deletion's event
	}
	kept := volume.DeepCopy()
	kept.Finalizers = kept.Finalizers[:0]
	for _, each := range volume.Finalizers {
		if each != finalizer {
			kept.Finalizers = append(kept.Finalizers, each)
		}
	}
	if len(kept.Finalizers) == len(volume.Finalizers) {
		return nil
	}
	if _, err := volumes.Update(ctx, kept, metav1.UpdateOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("letting the volume go: %w", err)
	}
	return nil
}

// removeFolder removes the folder of a volume. A volume that only claims to be of
// this provisioner has none.
func (c *Controller) removeFolder(volume *corev1.PersistentVolume) error {
	if !filepath.IsLocal(volume.Name) || strings.ContainsAny(volume.Name, `/\`) {
		return nil
	}
	if err := c.inFolders(func(root *os.Root) error { return root.RemoveAll(volume.Name) }); err != nil {
		return fmt.Errorf("removing the volume's folder: %w", err)
	}
	return nil
}

// inFolders calls do with the folder of all volumes, which nothing leaves, not
// even by a symbolic link.
func (c *Controller) inFolders(do func(*os.Root) error) error {
	if err := os.MkdirAll(c.cfg.Dir, 0o700); err != nil {
		return err
	}
	host, err := os.OpenRoot(c.cfg.Dir)
	if err != nil {
		return err
	}
	defer host.Close()
	if err := host.MkdirAll(folders, 0o700); err != nil {
		return err
	}
	root, err := host.OpenRoot(folders)
	if err != nil {
		return err
	}
	defer root.Close()
	return do(root)
}
