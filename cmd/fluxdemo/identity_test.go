package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestIdentity has another cluster answer at the address of the demo's, and
// others take the names of all that the demo has made.
func TestIdentity(t *testing.T) {
	host := newHost(t)
	d := guestOf(t, host)
	if err := d.start(); err != nil {
		t.Fatal(err)
	}
	d.sub(t, "another cluster at the same address", func(t *testing.T) {
		// The same keys and port, and nothing of what was in it.
		host.must(t, "down", "--keep-data")
		if err := os.RemoveAll(filepath.Join(host.cluster(), "etcd")); err != nil {
			t.Fatal(err)
		}
		startHost(t, host)
		before := bystanders(t, host)
		file := filepath.Join(d.work(), "web.mmd")
		if err := os.WriteFile(file, []byte("flowchart LR\n  db --> web\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{
			{"up"}, {"status"}, {"env"}, {"clone", filepath.Join(d.work(), "clone")}, {"reset"}, {"down"}, {"walk", "gitops", "--auto"},
			{"shard", "add", "shard1"}, {"diagram", "run", file}, {"bench", "sharding", "--sizes=1", "--report=" + d.work()}, {"check", "gitops"},
		} {
			r := d.fluxdemo(args...)
			if r.code != exitFailure || !strings.Contains(r.stderr, "another cluster answers") || !strings.Contains(r.stderr, d.cluster()) {
				t.Errorf("%v", r)
			}
		}
		unharmed(t, host, before)
		if now := bystanders(t, host); len(now) != len(before) {
			t.Errorf("%d objects were there, and %d are", len(before), len(now))
		}
		// As it is told: only what runs here ends, and the folder goes.
		d.must(t, "down", "--keep-data")
		if err := os.RemoveAll(d.cluster()); err != nil {
			t.Fatal(err)
		}
	})
	if t.Failed() {
		return
	}
	if err := d.start(); err != nil {
		t.Fatal(err)
	}
	d.sub(t, "others take the names", func(t *testing.T) {
		gone, kept := takeNames(t, host, d)
		before := bystanders(t, host)
		for uid, o := range before {
			if !strings.Contains(o, `"taken"`) {
				delete(before, uid)
			}
		}
		if len(before) < kept {
			t.Fatalf("only %d of %d objects were made again", len(before), kept)
		}
		r := d.fluxdemo("down")
		if r.code != 0 {
			t.Fatal(r)
		}
		unharmed(t, host, before)
		for _, want := range append(strings.Fields("namespace/again configmap/namesake deployment/source-controller secret/webhook-token gitrepository/flux-system"), "customresourcedefinition/gitrepositories") {
			if !strings.Contains(r.stderr, want) {
				t.Errorf("%s is not named: %v", want, r)
			}
		}
		for _, name := range gone {
			if out := host.kubectl(t, "-n", "default", "get", name, "--ignore-not-found", "-o", "name"); out != "" {
				t.Errorf("%s is still there", name)
			}
		}
	})
}

// takeNames plays others, and two crashes: what the demo has recorded is
// deleted and made again as it was, with its labels. It returns what of the
// demo's in the namespace default has to go, and how many objects were made
// again.
func takeNames(t *testing.T, host, d *testDemo) (gone []string, kept int) {
	t.Helper()
	inventory := filepath.Join(d.cluster(), "inventory.jsonl")
	raw, err := os.ReadFile(inventory)
	if err != nil {
		t.Fatal(err)
	}
	// Flux's own objects first, while there is a Flux that lets them go.
	var flux, others []map[string]any
	seen := map[string]bool{}
	for line := range strings.Lines(string(raw)) {
		var object struct{ APIVersion, Kind, Namespace, Name string }
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatal(err)
		}
		if object.Kind == "Namespace" || object.Kind == "CustomResourceDefinition" || seen[object.Kind+object.Namespace+"/"+object.Name] {
			continue // what these hold is made again
		}
		seen[object.Kind+object.Namespace+"/"+object.Name] = true
		group, version, found := strings.Cut(object.APIVersion, "/")
		kind := strings.ToLower(object.Kind)
		if found {
			kind += "." + version + "." + group
		}
		var o map[string]any
		if err := json.Unmarshal([]byte(host.kubectl(t, "-n", object.Namespace, "get", kind, object.Name, "-o", "json")), &o); err != nil {
			t.Fatal(err)
		}
		metadata, _ := o["metadata"].(map[string]any)
		annotations, _ := metadata["annotations"].(map[string]any)
		if annotations == nil {
			annotations = map[string]any{}
		}
		annotations["taken"] = "by others"
		o["metadata"] = map[string]any{"name": object.Name, "namespace": metadata["namespace"], "labels": metadata["labels"], "annotations": annotations}
		delete(o, "status")
		if spec, is := o["spec"].(map[string]any); is && object.Kind == "Service" {
			delete(spec, "clusterIP")
			delete(spec, "clusterIPs")
		}
		if strings.Contains(object.APIVersion, ".toolkit.fluxcd.io/") {
			flux = append(flux, o)
		} else {
			others = append(others, o)
		}
	}
	for _, items := range [][]map[string]any{flux, others} {
		raw, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": items})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(d.work(), "taken.json")
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		host.kubectl(t, "replace", "--force", "--timeout=90s", "-f", file)
	}

	// Crashes, between a record and what it is about.
	host.kubectl(t, "-n", "default", "create", "configmap", "namesake")
	host.kubectl(t, "-n", "default", "annotate", "configmap", "namesake", "taken=by others")
	host.kubectl(t, "-n", "default", "create", "configmap", "made")
	host.kubectl(t, "-n", "default", "label", "configmap", "made", "fluxdemo.github.io/name=fluxdemo")
	host.kubectl(t, "create", "namespace", "again")
	host.kubectl(t, "label", "namespace", "again", "fluxdemo.github.io/name=fluxdemo")
	host.kubectl(t, "annotate", "namespace", "again", "taken=by others")
	lines := ""
	for _, name := range []string{"namesake", "made", "never-made"} {
		lines += fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","namespace":"default","name":%q,"intent":true}`+"\n", name)
	}
	lines += `{"apiVersion":"v1","kind":"Namespace","name":"again","uid":"00000000-0000-4000-8000-000000000000"}` + "\n"
	lines += `{"apiVersion":"v1","kind":"ConfigMap","namespace":"default","name":"torn` // and a full disk
	out, err := os.OpenFile(inventory, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := out.WriteString(lines); err != nil {
		t.Fatal(err)
	}
	return []string{"configmap/made"}, len(flux) + len(others)
}
