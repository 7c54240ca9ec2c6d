package network

import (
	"fmt"
	"strings"
	"testing"
)

func TestParseHost(t *testing.T) {
	git := servicePort{namespace: "fluxdemo", name: "git", port: 80}
	for _, test := range []struct {
		host      string
		want      servicePort
		inCluster bool
		wrong     bool
	}{
		{host: "git.fluxdemo.svc.cluster.local", want: git, inCluster: true},
		{host: "git.fluxdemo.svc.cluster.local.", want: git, inCluster: true},
		{host: "git.fluxdemo.svc.cluster.local:80", want: git, inCluster: true},
		{host: "git.fluxdemo.svc.cluster.local.:80", want: git, inCluster: true},
		{host: "git.fluxdemo.svc.cluster.local:", want: git, inCluster: true},
		{host: "GIT.FluxDemo.svc.Cluster.local", want: git, inCluster: true},
		{host: "git.fluxdemo.svc.cluster.local:8080", want: servicePort{"fluxdemo", "git", 8080}, inCluster: true},
		{host: "git.fluxdemo.svc.cluster.local:0", inCluster: true, wrong: true},
		{host: "git.fluxdemo.svc.cluster.local:65536", inCluster: true, wrong: true},
		{host: "git.fluxdemo.svc.cluster.local:http", inCluster: true, wrong: true},
		{host: "pod.git.fluxdemo.svc.cluster.local", inCluster: true, wrong: true},
		{host: "git.svc.cluster.local", inCluster: true, wrong: true},
		{host: ".fluxdemo.svc.cluster.local", inCluster: true, wrong: true},
		{host: "svc.cluster.local", inCluster: true, wrong: true},
		{host: "cluster.local", inCluster: true, wrong: true},
		{host: "1-2-3-4.fluxdemo.pod.cluster.local", inCluster: true, wrong: true},
		{host: "g_t.fluxdemo.svc.cluster.local", inCluster: true, wrong: true},
		{host: "github.com"},
		{host: "git.fluxdemo"},
		{host: "git.fluxdemo.svc"},
		{host: "git.fluxdemo.svc.cluster.local.example.com"},
		{host: "notcluster.local"},
		{host: "127.0.0.1:80"},
		{host: "[::1]:80"},
		{host: "[::1]"},
		{host: ""},
	} {
		got, inCluster, err := parseHost(test.host, 80)
		if got != test.want || inCluster != test.inCluster || (err != nil) != test.wrong {
			t.Errorf("parseHost(%q) = %v, %v, %v; want %v, %v, error %v",
				test.host, got, inCluster, err, test.want, test.inCluster, test.wrong)
		}
	}
}

func FuzzParseHost(f *testing.F) {
	for _, seed := range []string{
		"git.fluxdemo.svc.cluster.local:80", "github.com", "[::1]:443", "a.b.svc.cluster.local.",
		"..svc.cluster.local", ":.cluster.local", "svc.cluster.local:1", "\x00.a.svc.cluster.local",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, host string) {
		target, inCluster, err := parseHost(host, 80)
		switch {
		case err != nil && !inCluster:
			t.Errorf("%q: an error (%v) for a host outside", host, err)
		case err != nil && strings.Contains(err.Error(), "\n"):
			t.Errorf("%q: an error of more than one line: %v", host, err)
		case err == nil && inCluster:
			if target.port < 1 || target.port > 65535 {
				t.Errorf("%q: port %d", host, target.port)
			}
			again := fmt.Sprintf("%s.%s.svc.cluster.local:%d", target.name, target.namespace, target.port)
			if same, _, err := parseHost(again, 1); err != nil || same != target {
				t.Errorf("%q: %v is %v when read again, %v", host, target, same, err)
			}
		case !inCluster && target != servicePort{}:
			t.Errorf("%q: outside, but %v", host, target)
		}
	})
}
