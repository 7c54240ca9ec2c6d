package node

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fluxdemo/fluxdemo/clusters/backoff"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/pki"
)

func TestStubbornProcessIsKilled(t *testing.T) {
	w := newWorld(t)
	w.create(newTestPod("stubborn", running("stubborn")))
	object := w.wait("stubborn", "running", isPodReady)
	w.awaitOutput("stubborn", "ready\n") // from now on it ignores SIGTERM
	pid, asked := pidOf(t, object), time.Now()
	w.deleteGracefully(object, 1)
	w.wait("stubborn", "gone", isGone)
	if !hasEnded(pid) {
		t.Error("the process still runs")
	}
	if took := time.Since(asked); took < time.Second {
		t.Errorf("it was killed after %s, its grace is a second", took)
	}
}

// awaitOutput follows a pod's log until it begins with text.
func (w *world) awaitOutput(pod, text string) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet,
		"https://"+w.node.Addr()+"/containerLogs/default/"+pod+"/main?follow=true", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	response, err := w.kubeletClient(pki.KubeletClient).Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	got := make([]byte, len(text))
	if _, err := io.ReadFull(response.Body, got); err != nil || string(got) != text {
		w.t.Fatalf("%q, %v", got, err)
	}
}

// TestDeletedWithoutGrace deletes pods as --force does, under the node's feet:
// some while they start and one that runs.
func TestDeletedWithoutGrace(t *testing.T) {
	w := newWorld(t)
	remove := func(name string) {
		if err := w.client.CoreV1().Pods("default").Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		name := "web-" + strconv.Itoa(i)
		w.create(newTestPod(name, serving()))
		backoff.Pause(t.Context(), time.Duration(i)*time.Millisecond) // to meet different stages of the start
		remove(name)
	}
	w.create(newTestPod("last", serving()))
	pid := pidOf(t, w.wait("last", "running", isPodReady))
	remove("last")
	w.awaitEmpty()
	if !hasEnded(pid) {
		t.Error("the process still runs")
	}
	if left, _ := os.ReadDir(filepath.Join(w.cfg.Dir, "pods")); len(left) != 0 {
		t.Errorf("folders left behind: %v", left)
	}
}

// awaitEmpty waits until no pod is left on the node.
func (w *world) awaitEmpty() {
	w.t.Helper()
	for deadline := time.Now().Add(testWait); ; {
		list := w.node.runtime.all()
		if len(list) == 0 {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("still there: %s", list[0].name())
		}
		select {
		case <-list[0].stopped.Done():
			backoff.Pause(w.t.Context(), 5*time.Millisecond) // it is being taken off the list
		case <-time.After(time.Until(deadline)):
		}
	}
}

func TestLivenessRestarts(t *testing.T) {
	w := newWorld(t)
	c := serving()
	c.LivenessProbe = healthz()
	c.LivenessProbe.PeriodSeconds, c.LivenessProbe.FailureThreshold = 1, 1
	w.create(newTestPod("web", c))
	object := w.wait("web", "ready", isPodReady)
	w.awaitAnswer(object)
	w.get(object, "/unwell")
	object = w.wait("web", "restarted", func(p *corev1.Pod) bool {
		return p.Status.ContainerStatuses[0].RestartCount == 1 && p.Status.ContainerStatuses[0].State.Running != nil
	})
	if last := object.Status.ContainerStatuses[0].LastTerminationState.Terminated; last == nil || last.ExitCode != 143 {
		t.Errorf("%+v", last)
	}
}

// awaitAnswer waits until the pod's process answers.
func (w *world) awaitAnswer(object *corev1.Pod) {
	w.t.Helper()
	for deadline := time.Now().Add(testWait); w.get(object, "/env/HOSTNAME") != object.Name; {
		if time.Now().After(deadline) {
			w.t.Fatal("no answer")
		}
		backoff.Pause(w.t.Context(), 10*time.Millisecond)
	}
}

func TestConfiguration(t *testing.T) {
	w := newWorld(t)
	c := serving()
	c.EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}}}
	c.VolumeMounts = []corev1.VolumeMount{{Name: "login", MountPath: "/login"}}
	c.ReadinessProbe = healthz()
	object := newTestPod("web", c)
	object.Spec.Volumes = []corev1.Volume{{Name: "login", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "login"}}}}
	w.create(object)
	waiting := func(reason, what string) func(*corev1.Pod) bool {
		return func(p *corev1.Pod) bool {
			s := p.Status.ContainerStatuses
			return len(s) > 0 && s[0].State.Waiting != nil && s[0].State.Waiting.Reason == reason && strings.Contains(s[0].State.Waiting.Message, what)
		}
	}
	w.wait("web", "waiting for its volume", waiting("ContainerCreating", `secret "login" not found`))
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "login", Namespace: "default"}, Data: map[string][]byte{"password": []byte("one")}}
	if _, err := w.client.CoreV1().Secrets("default").Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.wait("web", "waiting for its variables", waiting("CreateContainerConfigError", `configmap "settings" not found`))
	settings := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "settings", Namespace: "default"}, Data: map[string]string{"COLOR": "red"}}
	if _, err := w.client.CoreV1().ConfigMaps("default").Create(t.Context(), settings, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	object = w.wait("web", "ready", isPodReady)
	if got := w.get(object, "/env/COLOR"); got != "red" {
		t.Errorf("COLOR is %q", got)
	}
	file := filepath.Join(w.cfg.Dir, "pods", string(object.UID), "volumes/login/password")
	if data, err := os.ReadFile(file); err != nil || string(data) != "one" {
		t.Errorf("%q, %v", data, err)
	}
	secret.Data["password"] = []byte("two")
	if _, err := w.client.CoreV1().Secrets("default").Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(testWait); ; backoff.Pause(t.Context(), 5*time.Millisecond) {
		if data, err := os.ReadFile(file); err == nil && string(data) == "two" {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("the volume was not updated: %q, %v", data, err)
		}
	}
}

// TestNodeRestart stops the node and starts it again: its pods go on.
func TestNodeRestart(t *testing.T) {
	w := newWorld(t)
	c := serving()
	c.VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}
	c.ReadinessProbe = healthz()
	object := newTestPod("web", c)
	object.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	w.create(object)
	before := w.wait("web", "ready", isPodReady)
	w.create(newTestPod("sim", corev1.Container{Name: "main", Image: otherImage}))
	simulated := w.wait("sim", "ready", isPodReady)
	dir := filepath.Join(w.cfg.Dir, "pods", string(before.UID))
	if err := os.WriteFile(filepath.Join(dir, "volumes/data/kept"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.stop()
	if !hasEnded(pidOf(t, before)) {
		t.Error("a process outlived the node")
	}
	leftover := filepath.Join(w.cfg.Dir, "pods", "uid-of-another")
	if err := os.Mkdir(leftover, 0o700); err != nil {
		t.Fatal(err)
	}

	w.start()
	after := w.wait("web", "running again", func(p *corev1.Pod) bool {
		return isPodReady(p) && p.Status.ContainerStatuses[0].RestartCount == 1
	})
	if after.Status.PodIP != before.Status.PodIP || !after.Status.StartTime.Equal(before.Status.StartTime) {
		t.Errorf("%s since %s, was %s since %s", after.Status.PodIP, after.Status.StartTime, before.Status.PodIP, before.Status.StartTime)
	}
	if last := after.Status.ContainerStatuses[0].LastTerminationState.Terminated; last == nil || last.Reason != "NodeRestarted" {
		t.Errorf("%+v", last)
	}
	if _, err := os.Stat(filepath.Join(dir, "volumes/data/kept")); err != nil {
		t.Error("the emptyDir was lost")
	}
	if _, err := os.Stat(leftover); err == nil {
		t.Error("the folder of a pod that is gone was kept")
	}
	again := w.wait("sim", "ready", isPodReady)
	if s := again.Status.ContainerStatuses[0]; s.RestartCount != 0 || !s.State.Running.StartedAt.Equal(&simulated.Status.ContainerStatuses[0].State.Running.StartedAt) {
		t.Errorf("%+v", s)
	}
}

// TestOthersStatusIsKept changes labels, a condition and the spec's image
// behind the node's back.
func TestOthersStatusIsKept(t *testing.T) {
	w := newWorld(t)
	object := newTestPod("web", serving())
	object.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "example.org/gate"}}
	w.create(object)
	object = w.wait("web", "running", func(p *corev1.Pod) bool { return condition(p, corev1.ContainersReady) == corev1.ConditionTrue })
	if isPodReady(object) {
		t.Error("ready before its gate")
	}
	object = object.DeepCopy()
	object.Labels = map[string]string{"new": "label"}
	object.Status.Conditions = append(object.Status.Conditions, corev1.PodCondition{Type: "example.org/gate", Status: corev1.ConditionTrue})
	if _, err := w.client.CoreV1().Pods("default").Update(t.Context(), object, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	object = w.wait("web", "ready", isPodReady)
	if object.Labels["new"] != "label" || condition(object, "example.org/gate") != corev1.ConditionTrue {
		t.Errorf("%+v", object)
	}
	object = object.DeepCopy()
	object.Spec.Containers[0].Image = knownImage + ":v2"
	if _, err := w.client.CoreV1().Pods("default").Update(t.Context(), object, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.wait("web", "restarted with the new image", func(p *corev1.Pod) bool {
		s := p.Status.ContainerStatuses[0]
		return s.RestartCount == 1 && s.Image == knownImage+":v2" && isPodReady(p)
	})
}

func TestSidecarEndsWithThePod(t *testing.T) {
	w := newWorld(t)
	object := newTestPod("job", running("exit", "0"))
	object.Spec.RestartPolicy = corev1.RestartPolicyNever
	always := corev1.ContainerRestartPolicyAlways
	beside := serving()
	beside.Name, beside.RestartPolicy = "beside", &always
	object.Spec.InitContainers = []corev1.Container{beside}
	w.create(object)
	object = w.wait("job", "finished", func(p *corev1.Pod) bool { return p.Status.Phase == corev1.PodSucceeded })
	if s := object.Status.InitContainerStatuses[0]; s.State.Terminated == nil || s.RestartCount != 0 {
		t.Errorf("%+v", s)
	}
}
