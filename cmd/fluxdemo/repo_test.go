package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/services/gitapi"
)

// TestRepo creates a repository, which Flux follows beside the fleet, and which survives a crash of the Git host.
func TestRepo(t *testing.T) {
	d := sharedDemo(t)
	name := fmt.Sprintf("apps-%d", time.Now().UnixNano())
	url := strings.TrimSpace(d.must(t, "repo", "create", name))
	if r := d.fluxdemo("repo", "create", name); r.code != exitUsage || !strings.Contains(r.stderr, "already") || strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("created twice: %v", r)
	}
	dir := filepath.Join(t.TempDir(), "clone")
	d.must(t, "clone", dir, "--repo", name)
	if branch := d.git(t, dir, "symbolic-ref", "--short", "HEAD"); branch != "main" {
		t.Errorf("the clone is on %s", branch)
	}
	d.git(t, dir, "commit", "-q", "--allow-empty", "-m", "First")
	d.git(t, dir, "push", "-q", "-u", "origin", "main")
	commit := d.git(t, dir, "rev-parse", "HEAD")
	d.apply(t, `
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: `+name+`, namespace: flux-system}
spec: {interval: 1h, url: "http://git.fluxdemo.svc.cluster.local/`+name+`.git", ref: {branch: main}}
`)
	t.Cleanup(func() { d.kubectl(t, "-n", "flux-system", "delete", "gitrepository", name) })
	d.kubectl(t, "-n", "flux-system", "wait", "gitrepository/"+name, "--timeout=60s", "--for=jsonpath={.status.artifact.revision}=main@sha1:"+commit)

	d.kubectl(t, "-n", "fluxdemo", "delete", "pod", "-l", "app.kubernetes.io/name=git", "--grace-period=0", "--force")
	await(t, healTime, "the Git host has its repositories", func() error {
		r := d.fluxdemo("repo", "list", "-o", "json")
		var list gitapi.List
		if err := json.Unmarshal([]byte(r.stdout), &list); err != nil {
			return fmt.Errorf("%w: %v", err, r)
		}
		for _, one := range list.Repositories {
			if one.Name == name && one.Commit == commit && one.URL == url && !one.Webhook {
				return nil
			}
		}
		return fmt.Errorf("%+v", list)
	})
	page, err := fetch(strings.TrimSuffix(url, ".git") + "/commits")
	if err != nil || !strings.Contains(page, "First") {
		t.Errorf("the page of the repository: %v\n%s", err, page)
	}
	await(t, healTime, "all is well", d.healthy)
}
