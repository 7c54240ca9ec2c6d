package gobuild

import (
	"bufio"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestReadBuild(t *testing.T) {
	const output = `go: downloading k8s.io/api v0.36.3
internal/goarch
k8s.io/apimachinery/pkg/types
# github.com/fluxdemo/fluxdemo/hack/bundle/kube
kube/main.go:9:2: undefined: x
`
	var done atomic.Int64
	messages := readBuild(bufio.NewScanner(strings.NewReader(output)), &done)
	if done.Load() != 2 {
		t.Errorf("counted %d packages, want 2", done.Load())
	}
	want := "# github.com/fluxdemo/fluxdemo/hack/bundle/kube\nkube/main.go:9:2: undefined: x"
	if got := strings.Join(messages, "\n"); got != want {
		t.Errorf("got messages %q, want %q", got, want)
	}
}

func TestEstimate(t *testing.T) {
	cold, warm := estimate(4466, 2), estimate(0, 2)
	if cold < 9*time.Minute || cold > 11*time.Minute {
		t.Errorf("a cold build on 2 cores is estimated at %s, it took 9m43s", cold)
	}
	if warm >= time.Minute || warm <= 0 {
		t.Errorf("linking is estimated at %s", warm)
	}
	if eight := estimate(4466, 8); eight*3 > cold {
		t.Errorf("eight cores should help: %s against %s", eight, cold)
	}
}

func TestKubeStamps(t *testing.T) {
	got := KubeStamps("v1.36.3")
	for _, want := range []string{"gitVersion=v1.36.3", "gitMajor=1", "gitMinor=36"} {
		if !strings.Contains(got, "k8s.io/component-base/version."+want) {
			t.Errorf("%s is missing in %s", want, got)
		}
	}
}
