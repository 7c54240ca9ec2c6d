package node

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fluxdemo/fluxdemo/clusters/backoff"
)

// awaitEvents waits until the pod has an event of each of these reasons, whose
// message contains the text after the colon.
func (w *world) awaitEvents(pod string, wanted ...string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), testWait)
	defer cancel()
	for {
		var have []string
		events, err := w.client.CoreV1().Events("default").List(ctx, metav1.ListOptions{})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, e := range events.Items {
			if e.InvolvedObject.Name == pod {
				have = append(have, e.Reason+":"+e.Message)
			}
		}
		lacks := slices.IndexFunc(wanted, func(want string) bool {
			reason, text, _ := strings.Cut(want, ":")
			return !slices.ContainsFunc(have, func(h string) bool { return strings.HasPrefix(h, reason+":") && strings.Contains(h, text) })
		})
		if lacks < 0 {
			return
		}
		if !backoff.Pause(ctx, 10*time.Millisecond) {
			w.t.Fatalf("no event %q among\n%s", wanted[lacks], strings.Join(have, "\n"))
		}
	}
}

// TestUnknownTag gives a pod a tag that there is not, takes its image away while
// it runs, and puts both right.
func TestUnknownTag(t *testing.T) {
	w := newWorld(t)
	w.stop()
	w.cfg.Images[0].Tags = []string{"v1"}
	w.start()
	c := serving()
	c.Image = knownImage + ":v2"
	w.create(newTestPod("web", c))
	isWaiting := func(reason string) func(*corev1.Pod) bool {
		return func(p *corev1.Pod) bool {
			s := p.Status.ContainerStatuses
			return len(s) > 0 && s[0].State.Waiting != nil && s[0].State.Waiting.Reason == reason && !s[0].Ready &&
				strings.Contains(s[0].State.Waiting.Message, "has only "+knownImage+":v1")
		}
	}
	object := w.wait("web", "waiting for its image", isWaiting("ErrImagePull"))
	if s := object.Status; s.Phase != corev1.PodPending || isPodReady(object) || s.Reason != "" || s.ContainerStatuses[0].RestartCount != 0 {
		t.Errorf("%+v", s)
	}
	object = w.wait("web", "backing off", isWaiting("ImagePullBackOff"))
	w.awaitEvents("web", "Pulling:"+knownImage+":v2", "Failed:Failed to pull image", "Failed:Error: ErrImagePull", "BackOff:Back-off pulling image", "Failed:Error: ImagePullBackOff")

	setImage := func(object *corev1.Pod, image string) {
		object = object.DeepCopy()
		object.Spec.Containers[0].Image = image
		if _, err := w.client.CoreV1().Pods("default").Update(t.Context(), object, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	setImage(object, knownImage+":v1")
	object = w.wait("web", "ready", isPodReady)
	pid := pidOf(t, object)

	setImage(object, knownImage+"@sha256:0123")
	object = w.wait("web", "waiting for a digest", isWaiting("ErrImagePull"))
	if s := object.Status.ContainerStatuses[0]; s.LastTerminationState.Terminated == nil || !hasEnded(pid) {
		t.Errorf("the process of the old image: %+v", s)
	}
	setImage(object, knownImage+":v1")
	object = w.wait("web", "ready again", isPodReady)
	if s := object.Status.ContainerStatuses[0]; s.RestartCount != 1 {
		t.Errorf("%d restarts", s.RestartCount)
	}

	// A pod that waits for its image goes at once.
	setImage(object, knownImage+":v3")
	object = w.wait("web", "waiting for its image", isWaiting("ErrImagePull"))
	w.deleteGracefully(object, 30)
	w.wait("web", "gone", isGone)
}

// TestSimulatedJob runs pods of an unknown image that are to end.
func TestSimulatedJob(t *testing.T) {
	w := newWorld(t)
	for name, policy := range map[string]corev1.RestartPolicy{"never": corev1.RestartPolicyNever, "on-failure": corev1.RestartPolicyOnFailure} {
		object := newTestPod(name, corev1.Container{Name: "main", Image: otherImage})
		object.Spec.RestartPolicy = policy
		w.create(object)
	}
	w.create(newTestPod("always", corev1.Container{Name: "main", Image: otherImage}))
	for _, name := range []string{"never", "on-failure"} {
		object := w.wait(name, "completed", func(p *corev1.Pod) bool { return p.Status.Phase == corev1.PodSucceeded })
		ended := object.Status.ContainerStatuses[0].State.Terminated
		if ended == nil || ended.ExitCode != 0 || ended.Reason != "Completed" || !strings.Contains(ended.Message, "nothing runs") {
			t.Errorf("%s: %+v", name, ended)
		} else if ran := ended.FinishedAt.Sub(ended.StartedAt.Time); ran < 0 || ran > testWait/2 {
			t.Errorf("%s ran for %s", name, ran)
		}
		if object.Status.Reason != reasonSimulated || condition(object, conditionSimulated) != corev1.ConditionTrue {
			t.Errorf("%s: %+v", name, object.Status)
		}
		w.awaitEvents(name, "Simulated:image "+otherImage+" is not in the bundle, nothing runs")
	}
	if object := w.wait("always", "ready", isPodReady); object.Status.Phase != corev1.PodRunning {
		t.Errorf("a pod that is to run all the time: %+v", object.Status)
	}
}

// TestClaim mounts claims. Wherever their volumes are said to be, they are below
// the node's folder.
func TestClaim(t *testing.T) {
	for name, test := range map[string]struct {
		source corev1.PersistentVolumeSource
		folder string // below host
		fails  string
	}{
		"host path":  {corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/volumes/pvc-1"}}, "volumes/pvc-1", ""},
		"local":      {corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: "/disk"}}, "disk", ""},
		"outside":    {corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/a/../../../b"}}, "b", ""},
		"relative":   {corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "../../c"}}, "c", ""},
		"other kind": {corev1.PersistentVolumeSource{NFS: &corev1.NFSVolumeSource{Server: "nas", Path: "/"}}, "", "use hostPath or local"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t,
				&corev1.PersistentVolumeClaim{
					ObjectMeta: metav1.ObjectMeta{Name: "data", Namespace: "default", UID: "claim"},
					Spec:       corev1.PersistentVolumeClaimSpec{VolumeName: "pv"},
					Status:     corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound},
				},
				&corev1.PersistentVolume{
					ObjectMeta: metav1.ObjectMeta{Name: "pv"},
					Spec:       corev1.PersistentVolumeSpec{PersistentVolumeSource: test.source, ClaimRef: &corev1.ObjectReference{UID: "claim"}},
				})
			c := serving("--data=/data/x")
			c.VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}
			object := newTestPod("web", c)
			object.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"},
			}}}
			w.create(object)
			if test.fails != "" {
				w.awaitEvents("web", "FailedMount:"+test.fails)
				return
			}
			object = w.wait("web", "ready", isPodReady)
			w.awaitAnswer(object)
			want := "--data=" + filepath.Join(w.cfg.Dir, "host", test.folder, "x")
			if got := w.get(object, "/args"); !strings.Contains(got, want+" ") {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}
