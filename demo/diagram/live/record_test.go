package live

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/fluxdemo/fluxdemo/demo/object"
	"github.com/fluxdemo/fluxdemo/demo/services/event"
)

// recorded is one thing that a Watcher saw: a line of testdata/*.jsonl. Of Object, Git, Inbox and Mark one is set.
type recorded struct {
	Seen    time.Time                  `json:"seen"`
	Object  *unstructured.Unstructured `json:"object,omitempty"`
	Initial bool                       `json:"initial,omitempty"` // of Object: it was there when the watch began
	Deleted bool                       `json:"deleted,omitempty"` // of Object
	Git     *event.Git                 `json:"git,omitempty"`
	Inbox   *event.Notification        `json:"inbox,omitempty"`
	Mark    string                     `json:"mark,omitempty"` // what is done to the cluster from here on
}

// recordedHook takes the place of the Receiver's path, which nobody else should know.
const recordedHook = "/hook/recorded"

// TestRecord makes a recording for TestReplay. It needs a demo of your own, with nothing done to it yet:
//
//	make bundle build && bin/fluxdemo up --name rec && eval "$(bin/fluxdemo env --name rec)"
//	RECORD=testdata/x.jsonl RECORD_GIT=${FLEET_URL%/fleet.git} RECORD_INBOX=$INBOX_URL \
//	  go test -count=1 -timeout 30m -run '^TestRecord$' ./demo/diagram/live
//
// Each line that is written into the pipe demo/diagram/live/testdata/x.jsonl.marks becomes a mark; the line "end" ends
// the recording. It holds Deployments, ConfigMaps, GitRepositories, Kustomizations and Receivers alone, without their
// status.history (trimmed): for others, extend both, and watched in replay.
func TestRecord(t *testing.T) {
	name := os.Getenv("RECORD")
	if name == "" {
		t.Skip("RECORD names no file to record into")
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	// For reading and writing, so that it does not end when a writer closes it.
	if err := syscall.Mkfifo(name+".marks", 0o600); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(name + ".marks")
	marks, err := os.OpenFile(name+".marks", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer marks.Close()
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var all sync.WaitGroup
	write := func(r recorded) {
		mu.Lock()
		defer mu.Unlock()
		r.Seen = time.Now().UTC()
		line, err := json.Marshal(r)
		if err == nil {
			_, err = file.Write(append(line, '\n'))
		}
		if err != nil {
			t.Error(err)
		}
	}
	start := time.Now()
	for _, resource := range []schema.GroupVersionResource{
		{Group: "apps", Version: "v1", Resource: "deployments"},
		{Version: "v1", Resource: "configmaps"},
		{Group: "source.toolkit.fluxcd.io", Version: "v1", Resource: "gitrepositories"},
		{Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Resource: "kustomizations"},
		{Group: "notification.toolkit.fluxcd.io", Version: "v1", Resource: "receivers"},
	} {
		list, err := client.Resource(resource).List(ctx, metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range list.Items {
			if o = *trimmed(&o); kept(&o) {
				write(recorded{Object: &o, Initial: true})
			}
		}
		w, err := client.Resource(resource).Watch(ctx, metav1.ListOptions{ResourceVersion: list.GetResourceVersion()})
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			for e := range w.ResultChan() {
				if o, ok := e.Object.(*unstructured.Unstructured); ok && kept(o) {
					write(recorded{Object: trimmed(o), Deleted: e.Type == "DELETED"})
				}
			}
		})
	}
	follow := func(address string, take func(data []byte)) {
		all.Go(func() {
			_ = event.Follow(ctx, address+"/events", "", func() {}, func(_ string, data []byte) bool {
				take(data)
				return false
			})
		})
	}
	follow(os.Getenv("RECORD_GIT"), func(data []byte) {
		var e struct {
			Time time.Time `json:"time"`
			event.Git
		}
		if err := json.Unmarshal(data, &e); err != nil {
			t.Error(err)
		} else if e.Time.After(start) {
			write(recorded{Git: &e.Git})
		}
	})
	follow(os.Getenv("RECORD_INBOX"), func(data []byte) {
		var n event.Notification
		if err := json.Unmarshal(data, &n); err != nil {
			t.Error(err)
		} else if n.Received.After(start) {
			write(recorded{Inbox: &n})
		}
	})
	for lines := bufio.NewScanner(marks); lines.Scan() && lines.Text() != "end"; {
		write(recorded{Mark: lines.Text()})
	}
	cancel()
	all.Wait()
	if err := file.Close(); err != nil {
		t.Error(err)
	}
}

// kept leaves out what no Kustomization and no diagram has to do with.
func kept(o *unstructured.Unstructured) bool { return o.GetKind() != "ConfigMap" || owner(o) != "" }

// trimmed leaves of an object what the model reads.
func trimmed(o *unstructured.Unstructured) *unstructured.Unstructured {
	o = o.DeepCopy()
	metadata := o.Object["metadata"].(map[string]any)
	for key := range metadata {
		if !slices.Contains([]string{"name", "namespace", "generation", "labels", "annotations", "managedFields", "resourceVersion", "deletionTimestamp"}, key) {
			delete(metadata, key)
		}
	}
	annotations := o.GetAnnotations()
	delete(annotations, "kubectl.kubernetes.io/last-applied-configuration")
	o.SetAnnotations(annotations)
	delete(o.Object, "data")
	if o.GetKind() == "Deployment" {
		o.Object["spec"] = map[string]any{
			"replicas": object.Number(o, "spec", "replicas"),
			"template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"image": image(o)}}}},
		}
	}
	if object.Text(o, "status", "webhookPath") != "" {
		_ = unstructured.SetNestedField(o.Object, recordedHook, "status", "webhookPath")
	}
	for _, field := range [][]string{{"status", "inventory"}, {"status", "history"}, {"spec", "secretRef"}} {
		unstructured.RemoveNestedField(o.Object, field...)
	}
	if ready := object.Condition(o, "Ready"); strings.Contains(ready.Message, "/hook/") {
		list, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
		for _, each := range list {
			each.(map[string]any)["message"] = "Receiver initialized for path: " + recordedHook
		}
		_ = unstructured.SetNestedSlice(o.Object, list, "status", "conditions")
	}
	return o
}
