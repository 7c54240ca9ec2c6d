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

	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/podspec"
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
	c.VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data"}, {Name: "account", MountPath: podspec.AccountPath}}
	c.ReadinessProbe = healthz()
	object.Spec.Volumes = []corev1.Volume{
		{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		{Name: "account", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token"}},
			{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: podspec.RootCA}}},
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

func isReady(node *corev1.Node) bool {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}
