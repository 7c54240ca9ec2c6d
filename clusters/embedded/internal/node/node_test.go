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
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/pki"
)

func pidOf(t *testing.T, object *corev1.Pod) int {
	t.Helper()
	text, ok := strings.CutPrefix(object.Status.ContainerStatuses[0].ContainerID, "process://")
	pid, err := strconv.Atoi(text)
	if !ok || err != nil {
		t.Fatalf("container ID %q", object.Status.ContainerStatuses[0].ContainerID)
	}
	return pid
}

func healthz() *corev1.Probe {
	return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromString("http")}}}
}

func TestNodeObject(t *testing.T) {
	w := newWorld(t)
	object, err := w.client.CoreV1().Nodes().Get(t.Context(), nodeName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !isReady(object) || len(object.Spec.Taints) != 0 || object.Labels[corev1.LabelOSStable] != "linux" ||
		object.Status.Addresses[0].Address != "127.0.0.1" {
		t.Errorf("%+v", object)
	}
	if want := ":" + strconv.Itoa(int(object.Status.DaemonEndpoints.KubeletEndpoint.Port)); !strings.HasSuffix(w.node.Addr(), want) {
		t.Errorf("kubelet at %s, object says %s", w.node.Addr(), want)
	}

	// While the node is away it is marked and tainted. It repairs that, and
	// leaves alone what the user has done.
	w.stop()
	object.Status.Conditions[0].Status = corev1.ConditionUnknown
	object.Spec.Unschedulable = true
	object.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeUnreachable, Effect: corev1.TaintEffectNoExecute}, {Key: "mine", Effect: corev1.TaintEffectNoSchedule}}
	if _, err := w.client.CoreV1().Nodes().Update(t.Context(), object, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.start()
	if object, err = w.client.CoreV1().Nodes().Get(t.Context(), nodeName, metav1.GetOptions{}); err != nil {
		t.Fatal(err)
	}
	if !isReady(object) || !object.Spec.Unschedulable || len(object.Spec.Taints) != 1 || object.Spec.Taints[0].Key != "mine" {
		t.Errorf("%+v", object)
	}
}

func TestProcessPod(t *testing.T) {
	w := newWorld(t)
	object := newTestPod("web", serving("--data=/data/x", "--ns=$(NS)"))
	object.Labels = map[string]string{"app": "web"}
	c := &object.Spec.Containers[0]
	c.Env = []corev1.EnvVar{
		{Name: "NS", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.namespace"}}},
		{Name: "DATA", Value: "/data/y"},
	}
	c.VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data"}, {Name: "account", MountPath: accountPath}}
	c.ReadinessProbe = healthz()
	object.Spec.Volumes = []corev1.Volume{
		{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		{Name: "account", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token"}},
			{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: rootCAConfigMap}}},
		}}}},
	}
	object.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}}
	w.create(object)
	object = w.wait("web", "ready", isPodReady)

	for _, kind := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReadyToStartContainers} {
		if condition(object, kind) != corev1.ConditionTrue {
			t.Errorf("condition %s is %q", kind, condition(object, kind))
		}
	}
	for _, c := range object.Status.Conditions {
		if c.Reason != "" || c.Message != "" { // left from when it was not ready
			t.Errorf("condition %+v", c)
		}
	}
	s := object.Status
	if s.Phase != corev1.PodRunning || s.QOSClass != corev1.PodQOSBurstable || s.HostIP != "127.0.0.1" || s.StartTime == nil || s.Message != "" {
		t.Errorf("%+v", s)
	}
	if s := s.ContainerStatuses[0]; s.State.Running == nil || !s.Ready || !*s.Started || s.RestartCount != 0 || s.Image != knownImage+":v1" {
		t.Errorf("%+v", s)
	}
	dir := filepath.Join(w.cfg.Dir, "pods", string(object.UID))
	for path, want := range map[string]string{
		"/env/NS":        "default",
		"/env/DATA":      filepath.Join(dir, "volumes/data/y"),
		"/env/FROM_NODE": "yes",
		"/env/TMPDIR":    filepath.Join(dir, "tmp"),
		"/env/HOSTNAME":  "web",
	} {
		if got := w.get(object, path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	if got := w.get(object, "/args"); !strings.HasPrefix(got, "serve --data="+filepath.Join(dir, "volumes/data/x")+" --ns=default --addr=127.0.0.1:") {
		t.Errorf("arguments %q", got)
	}
	config, err := os.ReadFile(w.get(object, "/env/KUBECONFIG"))
	if err != nil || !strings.Contains(string(config), filepath.Join(dir, "volumes/account/token")) {
		t.Errorf("kubeconfig %s, %v", config, err)
	}
	info, err := os.Stat(filepath.Join(dir, "volumes/account/token"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("token: %v, %v", info, err)
	}
	if list := w.node.Pods(); len(list) != 1 || list[0].PID != pidOf(t, object) || list[0].Simulated || !list[0].Ready {
		t.Errorf("%+v", list)
	}

	// Deleting ends the process, takes the pod out of the API and cleans up.
	pid := pidOf(t, object)
	w.deleteGracefully(object, 30)
	w.wait("web", "gone", isGone)
	if !hasEnded(pid) {
		t.Error("the process still runs")
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the pod's folder is still there")
	}
	if left, _ := os.ReadDir(w.cfg.LogDir); len(left) != 0 {
		t.Errorf("logs left behind: %v", left)
	}
}

func TestSimulatedPod(t *testing.T) {
	w := newWorld(t)
	// What it would mount is not there, and that does not matter.
	c := corev1.Container{Name: "main", Image: otherImage, VolumeMounts: []corev1.VolumeMount{{Name: "v", MountPath: "/v"}}}
	object := newTestPod("sim", c)
	object.Spec.InitContainers = []corev1.Container{{Name: "init", Image: otherImage}}
	object.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "nope"}}}}
	w.create(object)
	object = w.wait("sim", "ready", isPodReady)
	if object.Status.Phase != corev1.PodRunning || object.Status.Reason != "Simulated" || !strings.Contains(object.Status.Message, otherImage+" is not in the bundle") {
		t.Errorf("%+v", object.Status)
	}
	if condition(object, conditionSimulated) != corev1.ConditionTrue {
		t.Error("the condition is missing")
	}
	if _, ok := w.node.Locate(object.Status.PodIP, 8080); ok {
		t.Error("a simulated pod has an address")
	}
	body, status := w.logs("sim", "main", "", pki.KubeletClient)
	if status != http.StatusOK || !strings.HasPrefix(body, "simulated: ") {
		t.Errorf("logs: %d %q", status, body)
	}
	w.deleteGracefully(object, 30)
	w.wait("sim", "gone", isGone)
}

func (w *world) logs(pod, container, query, as string) (string, int) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet,
		"https://"+w.node.Addr()+"/containerLogs/default/"+pod+"/"+container+"?"+query, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	response, err := w.kubeletClient(as).Do(request)
	if err != nil {
		return err.Error(), 0
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(body), response.StatusCode
}

func TestRestartAndLogs(t *testing.T) {
	w := newWorld(t)
	w.create(newTestPod("crash", running("exit", "3")))
	// The first restart comes at once, the second one has to wait.
	object := w.wait("crash", "in back-off", func(p *corev1.Pod) bool {
		return len(p.Status.ContainerStatuses) > 0 && p.Status.ContainerStatuses[0].State.Waiting != nil &&
			p.Status.ContainerStatuses[0].State.Waiting.Reason == "CrashLoopBackOff"
	})
	s := object.Status.ContainerStatuses[0]
	if s.RestartCount != 1 || s.LastTerminationState.Terminated == nil || s.LastTerminationState.Terminated.ExitCode != 3 || object.Status.Phase != corev1.PodRunning {
		t.Errorf("%+v", s)
	}
	for _, query := range []string{"", "previous=true"} {
		if body, status := w.logs("crash", "main", query, pki.KubeletClient); body != "leaving with 3\n" || status != http.StatusOK {
			t.Errorf("logs?%s: %d %q", query, status, body)
		}
	}
	if body, status := w.logs("crash", "nope", "", pki.KubeletClient); status != http.StatusNotFound {
		t.Errorf("unknown container: %d %q", status, body)
	}
	// Only the API server may ask.
	if body, status := w.logs("crash", "main", "", pki.Admin); status != 0 {
		t.Errorf("somebody else got %d %q", status, body)
	}
}

func TestFollowLogsToTheEnd(t *testing.T) {
	w := newWorld(t)
	w.create(newTestPod("web", serving()))
	object := w.wait("web", "running", func(p *corev1.Pod) bool { return p.Status.Phase == corev1.PodRunning })
	got := make(chan string, 1)
	go func() {
		body, _ := w.logs("web", "main", "follow=true", pki.KubeletClient)
		got <- body
	}()
	w.deleteGracefully(object, 30)
	w.wait("web", "gone", isGone)
	select {
	case <-got: // it may have begun before or after the first line
	case <-time.After(testWait):
		t.Error("following did not end with the container")
	}
}

func TestJobPods(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]struct {
		policy corev1.RestartPolicy
		code   string
		phase  corev1.PodPhase
	}{
		"succeeds":      {corev1.RestartPolicyNever, "0", corev1.PodSucceeded},
		"succeeds-once": {corev1.RestartPolicyOnFailure, "0", corev1.PodSucceeded},
		"fails":         {corev1.RestartPolicyNever, "4", corev1.PodFailed},
	} {
		object := newTestPod(name, running("exit", test.code))
		object.Spec.RestartPolicy = test.policy
		w.create(object)
		object = w.wait(name, "finished", func(p *corev1.Pod) bool { return p.Status.Phase == test.phase })
		s := object.Status.ContainerStatuses[0]
		if s.State.Terminated == nil || strconv.Itoa(int(s.State.Terminated.ExitCode)) != test.code || s.RestartCount != 0 || isPodReady(object) {
			t.Errorf("%s: %+v", name, s)
		}
		if body, _ := w.logs(name, "main", "", pki.KubeletClient); body != "leaving with "+test.code+"\n" {
			t.Errorf("%s: logs %q", name, body)
		}
	}
	// A failed init container that may not be started again fails the pod.
	object := newTestPod("init", running("exit", "0"))
	object.Spec.RestartPolicy = corev1.RestartPolicyNever
	first := running("exit", "1")
	first.Name = "first"
	object.Spec.InitContainers = []corev1.Container{first}
	w.create(object)
	object = w.wait("init", "failed", func(p *corev1.Pod) bool { return p.Status.Phase == corev1.PodFailed })
	if object.Status.ContainerStatuses[0].State.Waiting == nil || object.Status.ContainerStatuses[0].ContainerID != "" {
		t.Errorf("the main container ran: %+v", object.Status.ContainerStatuses[0])
	}
}

func TestInitContainersRunInOrder(t *testing.T) {
	w := newWorld(t)
	object := newTestPod("web", serving())
	one, two := running("exit", "0"), running("exit", "0")
	one.Name, two.Name = "one", "two"
	object.Spec.InitContainers = []corev1.Container{one, two}
	w.create(object)
	object = w.wait("web", "ready", isPodReady)
	list := object.Status.InitContainerStatuses
	first, second := list[0].State.Terminated, list[1].State.Terminated
	if first == nil || second == nil || second.StartedAt.Before(&first.FinishedAt) || !list[0].Ready {
		t.Errorf("%+v", list)
	}
}

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
		pause(t.Context(), time.Duration(i)*time.Millisecond) // to meet different stages of the start
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
			pause(w.t.Context(), 5*time.Millisecond) // it is being taken off the list
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
		pause(w.t.Context(), 10*time.Millisecond)
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
	for deadline := time.Now().Add(testWait); ; pause(t.Context(), 5*time.Millisecond) {
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
