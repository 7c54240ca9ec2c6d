package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// walkTime is how long one walk may take on a machine that has other things
// to do as well.
const walkTime = 10 * time.Minute

// prompt ends what a walk in a pipe says before it reads the next key.
const prompt = "q quit] "

// player presses the keys of a walk.
type player struct {
	keys io.Writer
	out  *bufio.Reader
	end  func() error
}

// play starts a walk, and waits until it asks for the first key.
func play(t *testing.T, d *demo, args ...string) *player {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), walkTime)
	t.Cleanup(cancel)
	cmd := d.command(ctx, nil, all.program, append([]string{"walk"}, args...)...)
	keys, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	read, write := io.Pipe()
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		write.Close()
		ended <- err
	}()
	p := &player{keys: keys, out: bufio.NewReader(read), end: func() error { return <-ended }}
	t.Cleanup(func() {
		cancel()
		_, _ = io.Copy(io.Discard, read)
	})
	p.heard(t)
	return p
}

// press sends a line of keys and returns what the walk says until it asks
// again.
func (p *player) press(t *testing.T, keys string) string {
	t.Helper()
	if _, err := fmt.Fprintln(p.keys, keys); err != nil {
		t.Fatal(err)
	}
	return p.heard(t)
}

func (p *player) heard(t *testing.T) string {
	t.Helper()
	var said strings.Builder
	for !strings.HasSuffix(said.String(), prompt) {
		b, err := p.out.ReadByte()
		if err != nil {
			t.Fatalf("%v after\n%s", errors.Join(err, p.end()), said.String())
		}
		said.WriteByte(b)
	}
	if strings.Contains(said.String(), "✗") {
		t.Fatal(said.String())
	}
	return said.String()
}

// world is all that a walk may change and Back brings back: the commit on
// main, what objects are for, and which commit Flux is at.
func world(t *testing.T, d *demo) string {
	t.Helper()
	var said strings.Builder
	fmt.Fprintln(&said, "main", head(t, d))
	for _, namespace := range []string{"flux-system", "app", "playground"} {
		var list struct{ Items []map[string]any }
		out := d.kubectl(t, "-n", namespace, "get", "-o", "json",
			"gitrepositories,kustomizations,receivers,alerts,providers,deployments,services,configmaps,secrets")
		if err := json.Unmarshal([]byte(out), &list); err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, o := range list.Items {
			lines = append(lines, essence(t, o))
		}
		slices.Sort(lines)
		fmt.Fprintln(&said, strings.Join(lines, "\n"))
	}
	return said.String()
}

// essence is what an object is for, without what tells one life of it from
// the next.
func essence(t *testing.T, o map[string]any) string {
	t.Helper()
	meta := o["metadata"].(map[string]any)
	keep := map[string]any{"kind": o["kind"], "name": meta["name"], "labels": meta["labels"], "data": o["data"]}
	annotations, _ := meta["annotations"].(map[string]any)
	for _, mark := range []string{"reconcile.fluxcd.io/requestedAt", "deployment.kubernetes.io/revision"} {
		delete(annotations, mark)
	}
	if len(annotations) > 0 {
		keep["annotations"] = annotations
	}
	if spec, ok := o["spec"].(map[string]any); ok {
		if spec["suspend"] == false {
			delete(spec, "suspend") // the same as nothing
		}
		keep["spec"] = spec
	}
	if status, ok := o["status"].(map[string]any); ok {
		keep["applied"], keep["path"] = status["lastAppliedRevision"], status["webhookPath"]
		// Others than the demo's own look by themselves, at any time.
		if artifact, ok := status["artifact"].(map[string]any); ok && meta["name"] == "flux-system" {
			keep["artifact"] = artifact["revision"]
		}
		conditions, _ := status["conditions"].([]any)
		for _, each := range conditions {
			if c := each.(map[string]any); c["type"] == "Ready" {
				keep["ready"] = c["status"]
			}
		}
	}
	line, err := json.Marshal(keep)
	if err != nil {
		t.Fatal(err)
	}
	return string(line)
}

// TestBackInWalks goes back after every step of every walk that ships.
func TestBackInWalks(t *testing.T) {
	d := sharedDemo(t)
	for _, name := range walkNames() {
		d.sub(t, name, func(t *testing.T) {
			d.must(t, "reset") // no walk is half done, and one that fails troubles no other
			w, err := loadWalk(name)
			if err != nil {
				t.Fatal(err)
			}
			p := play(t, d, name)
			for i := range w.Steps {
				before := world(t, d)
				p.press(t, "")
				p.press(t, "b")
				await(t, healTime, "the state before "+w.Steps[i].Title, func() error { return same(before, world(t, d)) })
				p.press(t, "")
			}
			if _, err := fmt.Fprintln(p.keys, ""); err != nil {
				t.Fatal(err)
			}
			if rest, err := io.ReadAll(p.out); err != nil || !strings.Contains(string(rest), "✓ Cleanup") {
				t.Errorf("%v in\n%s", err, rest)
			}
			if err := p.end(); err != nil {
				t.Error(err)
			}
		})
	}
}

// same returns an error that names the lines of two worlds that differ.
func same(before, after string) error {
	was, is := strings.Split(before, "\n"), strings.Split(after, "\n")
	var differences []string
	for _, line := range was {
		if !slices.Contains(is, line) {
			differences = append(differences, "- "+line)
		}
	}
	for _, line := range is {
		if !slices.Contains(was, line) {
			differences = append(differences, "+ "+line)
		}
	}
	if len(differences) == 0 {
		return nil
	}
	return errors.New("what differs:\n" + strings.Join(differences, "\n"))
}

// TestWalksInAnyOrder does all walks without asking, none with a second try.
func TestWalksInAnyOrder(t *testing.T) {
	d := sharedDemo(t)
	names := walkNames()
	rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	t.Log("in the order ", names)
	for _, name := range names {
		if out := d.must(t, "walk", name, "--auto"); strings.Contains(out, "✗") || strings.Contains(out, "once more") {
			t.Errorf("%s needs a second try:\n%s", name, out)
		}
	}
}

// TestReset makes a mess of all that can be reset, and more than once.
func TestReset(t *testing.T) {
	d := sharedDemo(t)
	d.must(t, "reset")
	root, fresh := head(t, d), world(t, d)

	dir := clone(t, d, "mess")
	edit(t, dir+"/clusters/demo/apps.yaml", "interval: 5m", "interval: 1h")
	edit(t, dir+"/clusters/demo/flux-system/receiver.yaml", "name: webhook-token", "name: webhook-tokn")
	d.git(t, dir, "commit", "-q", "-a", "-m", "A mess")
	d.git(t, dir, "push", "-q")
	d.kubectl(t, "-n", "flux-system", "wait", "receiver/flux-system", "--for=condition=Ready=False", "--timeout=60s")
	suspend := `--patch={"spec":{"suspend":true}}`
	for _, args := range [][]string{
		{"-n", "flux-system", "patch", "kustomization", "apps", "--type=merge", suspend, "--field-manager=flux"},
		{"-n", "flux-system", "patch", "kustomization", "flux-system", "--type=merge", suspend, "--field-manager=flux"},
		{"-n", "flux-system", "patch", "gitrepository", "flux-system", "--type=merge", `--patch={"spec":{"suspend":true,"url":"http://nowhere"}}`},
		{"-n", "flux-system", "patch", "secret", "webhook-token", `--patch={"stringData":{"token":"another"}}`},
		{"-n", "app", "scale", "deployment", "app", "--replicas=2"},
		{"-n", "app", "annotate", "deployment", "app", "kustomize.toolkit.fluxcd.io/reconcile=disabled"},
		{"-n", "app", "annotate", "deployment", "app", "robot=was-here", "--field-manager=robot"},
		{"-n", "app", "create", "configmap", "guest"},
		{"-n", "playground", "create", "deployment", "guest", "--image=example.org/guest"},
	} {
		d.kubectl(t, args...)
	}
	for range 2 {
		d.must(t, "reset")
		if now := head(t, d); now != root {
			t.Errorf("main is at %s, want its first commit %s", now, root)
		}
		if err := same(fresh, world(t, d)); err != nil {
			t.Error(err)
		}
	}
	if pods := d.kube("-n", "playground", "wait", "pods", "--all", "--for=delete", "--timeout=60s"); pods.code != 0 {
		t.Error(pods)
	}
	// The webhook works: nothing else has Flux look that soon.
	d.git(t, dir, "reset", "-q", "--hard", root)
	d.git(t, dir, "commit", "-q", "--allow-empty", "-m", "After the reset")
	d.git(t, dir, "push", "-q", "--force")
	s, err := d.status()
	if err != nil {
		t.Fatal(err)
	}
	d.must(t, "wait", "delivery", s.URLs.Git, "--status=200", "--commit="+d.git(t, dir, "rev-parse", "HEAD"), "--timeout=60s")
	d.must(t, "reset")
	if err := d.healthy(); err != nil {
		t.Error(err)
	}
}
