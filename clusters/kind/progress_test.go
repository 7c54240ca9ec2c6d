package kind

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// recorder keeps what steps it was told about.
type recorder struct{ said []string }

func (r *recorder) Start(name string) func(error) {
	r.said = append(r.said, "start "+name)
	return func(err error) { r.said = append(r.said, fmt.Sprintf("end %s: %v", name, err)) }
}

func TestProgress(t *testing.T) {
	steps, log := &recorder{}, &bytes.Buffer{}
	var started []string
	p := newProgress(steps, log, func(name string) { started = append(started, name) })
	// As kind writes it.
	p.V(0).Infof("Creating cluster %q ...\n", "demo")
	p.V(0).Infof(" • %s  ...\n", "Preparing nodes 📦 📦 ")
	p.Warn("WARNING: something")
	p.V(0).Infof(" ✓ %s\n", "Preparing nodes 📦 📦 ")
	p.V(0).Infof(" • %s  ...\n", "Starting control-plane 🕹️")
	p.V(3).Info("Using kubeadm's configuration:")
	p.V(0).Infof(" ✗ %s\n", "Starting control-plane 🕹️")
	p.V(0).Infof(" • %s  ...\n", "Cut off (kindest/node:v1.2.3) 🖼")
	p.close(errors.New("no more"))
	p.close(nil)

	want := []string{
		"start Preparing nodes", "end Preparing nodes: <nil>",
		"start Starting control-plane", "end Starting control-plane: Starting control-plane",
		"start Cut off", "end Cut off: no more",
	}
	if !slices.Equal(steps.said, want) {
		t.Errorf("steps:\n%q, want\n%q", steps.said, want)
	}
	if want := []string{"Preparing nodes", "Starting control-plane", "Cut off"}; !slices.Equal(started, want) {
		t.Errorf("started: %q, want %q", started, want)
	}
	for _, want := range []string{"WARNING: something\n", "Using kubeadm's", "✗ Starting"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
}

func TestParseDigests(t *testing.T) {
	got := parseDigests(strings.Split(`REF  TYPE  DIGEST  SIZE  PLATFORMS  LABELS
ghcr.io/fluxcd/source-controller:v1.9.3 application/vnd.oci.image.manifest.v1+json sha256:aa 120.5 MiB linux/amd64 io.cri-containerd.image=managed
broken
`, "\n"))
	if len(got) != 1 || got["ghcr.io/fluxcd/source-controller:v1.9.3"] != "sha256:aa" {
		t.Errorf("%v", got)
	}
}

func TestOwnedBy(t *testing.T) {
	mounted := func(source, destination string) node {
		n := node{}
		n.Mounts = []struct{ Source, Destination string }{{"/lib/modules", "/lib/modules"}, {source, destination}}
		return n
	}
	for name, test := range map[string]struct {
		n    node
		want bool
	}{
		"ours":                 {mounted("/home/me/state/c/node", ownerMount), true},
		"in a virtual machine": {mounted("/host_mnt/home/me/state/c/node", ownerMount), true},
		"of another folder":    {mounted("/home/you/state/c/node", ownerMount), false},
		"not of this program":  {mounted("/home/me/state/c/node", "/data"), false},
		"with nothing mounted": {node{}, false},
		"kind's load balancer": {balancer(), true},
	} {
		if got := test.n.ownedBy("/home/me/state/c/node"); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func balancer() node {
	n := node{}
	n.Config.Labels = map[string]string{roleLabel: "external-load-balancer"}
	return n
}

func TestPodComponent(t *testing.T) {
	started := metav1.NewTime(time.Unix(1000, 0))
	pod := func(namespace, name string, status corev1.ContainerStatus) corev1.Pod {
		return corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Image: "registry.example/it:v1"}}},
			Status:     corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{status}},
		}
	}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: started}}
	etcd := pod("kube-system", "etcd-c-control-plane", corev1.ContainerStatus{State: running, Ready: true, RestartCount: 2})
	etcd.Labels = map[string]string{"component": "etcd"}
	for want, pod := range map[string]corev1.Pod{
		"/etcd v1 Running 2 ":          etcd,
		"app/app v1 NotReady 0 ":       pod("app", "app", corev1.ContainerStatus{State: running}),
		"app/app v1 Waiting 0 Err why": pod("app", "app", corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "Err", Message: "why"}}}),
		"app/app v1 Waiting 0 ":        {ObjectMeta: metav1.ObjectMeta{Namespace: "app", Name: "app"}, Spec: etcd.Spec},
	} {
		c := podComponent(pod)
		if got := fmt.Sprintf("%s/%s %s %s %d %s", c.Namespace, c.Name, c.Version, c.State, c.Restarts, c.Message); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestAddMemory(t *testing.T) {
	all := map[string]int64{}
	addMemory(all, "n", []byte(`{"node":{"systemContainers":[{"name":"kubelet","memory":{"workingSetBytes":7}},{"name":"runtime","memory":{"workingSetBytes":8}}]},
		"pods":[{"podRef":{"name":"app-1","namespace":"app"},"memory":{"workingSetBytes":9}}]}`))
	addMemory(all, "n", []byte(`nonsense`))
	if all["n/kubelet"] != 7 || all["n/containerd"] != 8 || all["app/app-1"] != 9 {
		t.Errorf("%v", all)
	}
}
