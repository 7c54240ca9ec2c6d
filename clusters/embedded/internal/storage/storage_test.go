package storage

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

const long = 20 * time.Second

// world is a controller and the API that it talks to.
type world struct {
	t      *testing.T
	client *fake.Clientset
	dir    string
}

func start(t *testing.T, objects ...runtime.Object) *world {
	t.Helper()
	w := &world{t: t, client: fake.NewClientset(objects...), dir: filepath.Join(t.TempDir(), "host")}
	watched := make(chan string, 10)
	// What is created between the fake's list and its watch is lost.
	w.client.PrependWatchReactor("*", func(action clienttesting.Action) (bool, watch.Interface, error) {
		watcher, err := w.client.Tracker().Watch(action.GetResource(), action.GetNamespace())
		watched <- action.GetResource().Resource
		return true, watcher, err
	})
	c, err := New(Config{Client: w.client, Dir: w.dir, Logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := c.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	for range 2 {
		select {
		case <-watched:
		case <-time.After(long):
			t.Fatal("the controller watches nothing")
		}
	}
	return w
}

// eventually waits until ok; it looks often, since not all that it looks at can be watched.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(long)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			w.t.Fatalf("never happened: %s", what)
		}
	}
}

// claim makes a claim as the API server and the binder leave it to provisioners.
func claim(name string, change ...func(*corev1.PersistentVolumeClaim)) *corev1.PersistentVolumeClaim {
	class := ClassName
	c := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "default", UID: types.UID("uid-" + name), Annotations: map[string]string{annotationProvisioner: Provisioner},
		},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: &class, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}
	for _, f := range change {
		f(c)
	}
	return c
}

func (w *world) create(c *corev1.PersistentVolumeClaim) {
	w.t.Helper()
	if _, err := w.client.CoreV1().PersistentVolumeClaims(c.Namespace).Create(w.t.Context(), c, metav1.CreateOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

// volume returns a volume, or nil if there is none of that name.
func (w *world) volume(name string) *corev1.PersistentVolume {
	w.t.Helper()
	v, err := w.client.CoreV1().PersistentVolumes().Get(w.t.Context(), name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

func (w *world) hasEvent(object, reason, text string) func() bool {
	return func() bool {
		events, err := w.client.CoreV1().Events("").List(w.t.Context(), metav1.ListOptions{})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, e := range events.Items {
			if e.InvolvedObject.Name == object && e.Reason == reason && strings.Contains(e.Message, text) {
				return true
			}
		}
		return false
	}
}

func (w *world) update(v *corev1.PersistentVolume) {
	w.t.Helper()
	if _, err := w.client.CoreV1().PersistentVolumes().Update(w.t.Context(), v, metav1.UpdateOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

func TestProvision(t *testing.T) {
	w := start(t)
	class, err := w.client.StorageV1().StorageClasses().Get(t.Context(), ClassName, metav1.GetOptions{})
	if err != nil || class.Annotations["storageclass.kubernetes.io/is-default-class"] != "true" || class.Provisioner != Provisioner {
		t.Fatalf("the default class: %+v, %v", class, err)
	}
	w.create(claim("data"))
	const name = "pvc-uid-data"
	w.eventually("the claim has a volume", func() bool { return w.volume(name) != nil })
	w.eventually("an event says so", w.hasEvent("data", "ProvisioningSucceeded", name))
	v, folder := w.volume(name), filepath.Join(w.dir, "volumes", name)
	if v.Spec.HostPath == nil || v.Spec.HostPath.Path != "/volumes/"+name || v.Spec.ClaimRef.UID != "uid-data" || v.Spec.StorageClassName != ClassName ||
		v.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete || v.Spec.Capacity.Storage().String() != "1Gi" || v.Annotations[annotationFolder] != folder {
		t.Errorf("%+v", v)
	}
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("its folder: %v, %v", info, err)
	}
	if err := os.WriteFile(filepath.Join(folder, "file"), []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}

	v.Status.Phase = corev1.VolumeReleased // the claim is gone
	w.update(v)
	// The fake API deletes at once; a real one waits for the finalizer.
	w.eventually("the volume is gone", func() bool { return w.volume(name) == nil })
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("its folder stays: %v", err)
	}
}

// TestFinalizer deletes volumes as a real API server does: they stay until their
// finalizers are gone.
func TestFinalizer(t *testing.T) {
	now := metav1.Now()
	for name, test := range map[string]struct {
		phase        corev1.PersistentVolumePhase
		policy       corev1.PersistentVolumeReclaimPolicy
		let, removed bool
	}{
		"released":          {corev1.VolumeReleased, corev1.PersistentVolumeReclaimDelete, true, true},
		"released, to keep": {corev1.VolumeReleased, corev1.PersistentVolumeReclaimRetain, true, false},
		"never used":        {corev1.VolumeAvailable, corev1.PersistentVolumeReclaimDelete, true, true},
		"in use":            {corev1.VolumeBound, corev1.PersistentVolumeReclaimDelete, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			folder := filepath.Join(w.dir, "volumes", "pv")
			if err := os.MkdirAll(folder, 0o700); err != nil {
				t.Fatal(err)
			}
			v := &corev1.PersistentVolume{
				ObjectMeta: metav1.ObjectMeta{
					Name: "pv", Finalizers: []string{"other/one", finalizer}, DeletionTimestamp: &now,
					Annotations: map[string]string{annotationProvisionedBy: Provisioner},
				},
				Spec:   corev1.PersistentVolumeSpec{PersistentVolumeReclaimPolicy: test.policy},
				Status: corev1.PersistentVolumeStatus{Phase: test.phase},
			}
			if err := w.client.Tracker().Add(v); err != nil {
				t.Fatal(err)
			}
			w.create(claim("after")) // what comes after it has been seen
			w.eventually("the next claim is served", func() bool { return w.volume("pvc-uid-after") != nil })
			if test.let {
				w.eventually("the finalizer is gone", func() bool { return len(w.volume("pv").Finalizers) == 1 })
			} else if len(w.volume("pv").Finalizers) != 2 {
				t.Error("the finalizer is gone")
			}
			if _, err := os.Stat(folder); os.IsNotExist(err) != test.removed {
				t.Errorf("its folder: %v", err)
			}
		})
	}
}

// TestNothingOutside names folders that are not the volume's own, in every field.
func TestNothingOutside(t *testing.T) {
	w := start(t)
	outside := t.TempDir()
	keep := filepath.Join(outside, "keep")
	if err := os.WriteFile(keep, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	volumes := filepath.Join(w.dir, "volumes")
	if err := os.MkdirAll(volumes, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(volumes, "linked")); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"linked": "/volumes/linked", "forged": outside, "dots": "/volumes/../../../" + outside} {
		v := &corev1.PersistentVolume{
			ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{annotationProvisionedBy: Provisioner, annotationFolder: outside}},
			Spec: corev1.PersistentVolumeSpec{
				PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
				PersistentVolumeSource:        corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: path}},
			},
			Status: corev1.PersistentVolumeStatus{Phase: corev1.VolumeReleased},
		}
		if _, err := w.client.CoreV1().PersistentVolumes().Create(t.Context(), v, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		w.eventually(name+" is gone", func() bool { return w.volume(name) == nil })
	}
	if _, err := os.Stat(keep); err != nil {
		t.Errorf("a file outside: %v", err)
	}

	// The folder of all volumes leads away.
	if err := os.RemoveAll(volumes); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, volumes); err != nil {
		t.Fatal(err)
	}
	w.create(claim("data"))
	w.eventually("an event says why", w.hasEvent("data", "ProvisioningFailed", "escapes"))
	if list, err := os.ReadDir(outside); err != nil || len(list) != 1 {
		t.Errorf("outside: %v, %v", list, err)
	}
}

// TestOthers leaves alone what others serve, and says what it cannot do.
func TestOthers(t *testing.T) {
	block := corev1.PersistentVolumeBlock
	for name, test := range map[string]struct {
		change func(*corev1.PersistentVolumeClaim)
		event  string
	}{
		"other provisioner": {func(c *corev1.PersistentVolumeClaim) { c.Annotations[annotationProvisioner] = "other" }, ""},
		"static":            {func(c *corev1.PersistentVolumeClaim) { c.Spec.VolumeName = "pv" }, ""},
		"not asked yet":     {func(c *corev1.PersistentVolumeClaim) { c.Annotations = nil }, ""},
		"block":             {func(c *corev1.PersistentVolumeClaim) { c.Spec.VolumeMode = &block }, "no block devices"},
		"selector":          {func(c *corev1.PersistentVolumeClaim) { c.Spec.Selector = &metav1.LabelSelector{} }, "selector"},
		"clone": {func(c *corev1.PersistentVolumeClaim) {
			c.Spec.DataSource = &corev1.TypedLocalObjectReference{Kind: "PersistentVolumeClaim", Name: "other"}
		}, "no snapshots"},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			w.create(claim("first", test.change))
			w.create(claim("second"))
			w.eventually("the next claim is served", func() bool { return w.volume("pvc-uid-second") != nil })
			if w.volume("pvc-uid-first") != nil {
				t.Error("it got a volume")
			}
			if test.event != "" {
				w.eventually("an event says why", w.hasEvent("first", "ProvisioningFailed", test.event))
			}
		})
	}
}
