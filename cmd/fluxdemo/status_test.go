package main

import (
	"testing"

	"github.com/fluxdemo/fluxdemo/clusters"
)

func TestComponentName(t *testing.T) {
	for name, want := range map[string]string{
		"source-controller-749b678b7f-6q5mx": "source-controller",
		"git-d75946cfc-7mvvg":                "git",
		"kube-proxy-4gfdr":                   "kube-proxy",
		"my-database-0":                      "my-database-0",
		"alone":                              "alone",
	} {
		if got := componentName(clusters.Component{Namespace: "demo", Name: name}, false); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := componentName(clusters.Component{Name: "etcd"}, false); got != "etcd" {
		t.Errorf("etcd: %q", got)
	}
}
