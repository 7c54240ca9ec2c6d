package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kuberuntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/images"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/pki"
)

const (
	nodeName   = "here"
	knownImage = "example.org/helper"
	otherImage = "example.org/unknown:1"
	testWait   = 20 * time.Second
)

// TestMain makes the test binary the program of the known image, too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "helper" {
		helper(os.Args[2:])
		return
	}
	os.Exit(m.Run())
}

// helper is the known image's program. Its first argument says what it does.
func helper(args []string) {
	address := ""
	for _, arg := range args {
		if value, ok := strings.CutPrefix(arg, "--addr="); ok {
			address = value
		}
	}
	switch args[0] {
	case "exit":
		fmt.Println("leaving with", args[1])
		code, _ := strconv.Atoi(args[1])
		os.Exit(code)
	case "ask":
		fmt.Print("name? ")
		var name string
		if _, err := fmt.Scanln(&name); err != nil {
			os.Exit(4)
		}
		fmt.Println("hello", name)
		os.Exit(3)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("ready")
		select {}
	case "serve":
		fmt.Println("ready")
		well := true
		mux := http.NewServeMux()
		mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
			if !well {
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		mux.HandleFunc("/unwell", func(http.ResponseWriter, *http.Request) { well = false })
		mux.HandleFunc("/env/{name}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, os.Getenv(r.PathValue("name"))) })
		mux.HandleFunc("/args", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Join(args, " ")) })
		mux.HandleFunc("/exit", func(http.ResponseWriter, *http.Request) { os.Exit(7) })
		mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, r.URL.Query().Get("path")) })
		if err := http.ListenAndServe(address, mux); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
}

// world is a node and the API that it talks to.
type world struct {
	t      *testing.T
	client *fake.Clientset
	cfg    Config
	node   *Node
	keys   pki.PKI
	stop   func() // and waits for the node to have stopped

	watching chan struct{} // has an element once the node watches its pods
}

func newWorld(t *testing.T, objects ...kuberuntime.Object) *world {
	t.Helper()
	keys, err := pki.Ensure(filepath.Join(t.TempDir(), "pki"))
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, client: fake.NewClientset(objects...), keys: keys, watching: make(chan struct{}, 1)}
	w.client.PrependReactor("create", "serviceaccounts", func(action clienttesting.Action) (bool, kuberuntime.Object, error) {
		if action.GetSubresource() != "token" {
			return false, nil, nil
		}
		return true, &authenticationv1.TokenRequest{Status: authenticationv1.TokenRequestStatus{
			Token: "token", ExpirationTimestamp: metav1.NewTime(time.Now().Add(time.Hour)),
		}}, nil
	})
	// The fake API tells a watch only what comes after it: what happens between the node's list and its watch is lost,
	// which a real API server makes up for.
	w.client.PrependWatchReactor("pods", func(action clienttesting.Action) (bool, watch.Interface, error) {
		watcher, err := w.client.Tracker().Watch(corev1.SchemeGroupVersion.WithResource("pods"), action.GetNamespace())
		select {
		case w.watching <- struct{}{}:
		default:
		}
		return true, watcher, err
	})
	dir := t.TempDir()
	w.cfg = Config{
		Name: nodeName, Client: w.client, Dir: filepath.Join(dir, "node"), LogDir: filepath.Join(dir, "logs"),
		Server: "https://127.0.0.1:1", CAFile: keys.CAFile(), ServingCert: keys.CertFile(pki.Node), ServingKey: keys.KeyFile(pki.Node),
		ClientCAFile: keys.CAFile(), ClientName: pki.KubeletClientName,
		ProxyCAFile: keys.ProxyCAFile(), ProxyName: pki.ProxyName,
		Env:  []string{"FROM_NODE=yes"},
		Logf: t.Logf,
		Images: []images.Image{{
			Repository: knownImage, Binary: program, Args: []string{"helper"}, PortFlags: map[string]string{"http": "--addr"},
		}},
	}
	w.start()
	t.Cleanup(func() { w.stop() })
	return w
}

// start starts the node, on the state that it left if it ran before.
func (w *world) start() {
	w.t.Helper()
	select {
	case <-w.watching: // of the run before
	default:
	}
	node, err := New(w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := node.Run(ctx); err != nil {
			w.t.Errorf("the node ended: %v", err)
		}
	}()
	w.node, w.stop = node, func() {
		cancel()
		<-done
	}
	for what, is := range map[string]<-chan struct{}{"become ready": node.Ready(), "watch its pods": w.watching} {
		select {
		case <-is:
		case <-time.After(testWait):
			w.t.Fatalf("the node did not %s", what)
		}
	}
}

// container returns a container of the known image that listens.
func serving(args ...string) corev1.Container {
	return corev1.Container{
		Name: "main", Image: knownImage + ":v1", Args: append([]string{"serve"}, args...),
		Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
	}
}

func running(args ...string) corev1.Container {
	return corev1.Container{Name: "main", Image: knownImage + ":v1", Args: args}
}

func newTestPod(name string, containers ...corev1.Container) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", UID: types.UID("uid-" + name)},
		Spec:       corev1.PodSpec{NodeName: nodeName, RestartPolicy: corev1.RestartPolicyAlways, Containers: containers},
		Status:     corev1.PodStatus{Phase: corev1.PodPending, QOSClass: corev1.PodQOSBurstable},
	}
}

func (w *world) create(object *corev1.Pod) *corev1.Pod {
	w.t.Helper()
	created, err := w.client.CoreV1().Pods(object.Namespace).Create(w.t.Context(), object, metav1.CreateOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return created
}

// wait waits until the API shows the pod as wanted; nil stands for no pod.
func (w *world) wait(name, what string, wanted func(*corev1.Pod) bool) *corev1.Pod {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), testWait)
	defer cancel()
	pods := w.client.CoreV1().Pods("default")
	watcher, err := pods.Watch(ctx, metav1.ListOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	defer watcher.Stop()
	var object *corev1.Pod
	for {
		if object, err = pods.Get(ctx, name, metav1.GetOptions{}); err != nil {
			object = nil
		}
		if wanted(object) {
			return object
		}
		select {
		case <-watcher.ResultChan():
		case <-ctx.Done():
			w.t.Fatalf("pod %s is not %s: %+v", name, what, object)
		}
	}
}

func isPodReady(object *corev1.Pod) bool {
	return object != nil && condition(object, corev1.PodReady) == corev1.ConditionTrue
}

func condition(object *corev1.Pod, kind corev1.PodConditionType) corev1.ConditionStatus {
	i := slices.IndexFunc(object.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == kind })
	if i < 0 {
		return ""
	}
	return object.Status.Conditions[i].Status
}

func isGone(object *corev1.Pod) bool { return object == nil }

// get asks the pod's process on its port 8080.
func (w *world) get(object *corev1.Pod, path string) string {
	w.t.Helper()
	address, ok := w.node.Locate(object.Status.PodIP, 8080)
	if !ok {
		w.t.Fatalf("no address for %s", object.Status.PodIP)
	}
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return string(body)
}

// kubeletClient returns a client of the kubelet API with the certificate of
// that name.
func (w *world) kubeletClient(name string) *http.Client {
	w.t.Helper()
	certificate, err := tls.LoadX509KeyPair(w.keys.CertFile(name), w.keys.KeyFile(name))
	if err != nil {
		w.t.Fatal(err)
	}
	ca, err := os.ReadFile(w.keys.CAFile())
	if err != nil {
		w.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}}
	w.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: testWait}
}

// deleteGracefully marks the pod as deleted, as the API does.
func (w *world) deleteGracefully(object *corev1.Pod, seconds int64) {
	w.t.Helper()
	now := metav1.Now().Rfc3339Copy() // as precise as the API
	object = object.DeepCopy()
	object.DeletionTimestamp, object.DeletionGracePeriodSeconds = &now, &seconds
	if _, err := w.client.CoreV1().Pods(object.Namespace).Update(w.t.Context(), object, metav1.UpdateOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

// hasEnded says whether a process is gone.
func hasEnded(pid int) bool { return syscall.Kill(pid, 0) != nil }
