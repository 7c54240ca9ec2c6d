package node

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluxdemo/fluxdemo/clusters/backoff"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/objects"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/podspec"
)

// errPreparing says that the volumes have not been looked at yet.
var errPreparing = errors.New("the pod's volumes are being prepared")

// podVolumes keeps the volumes of one pod up to date, and knows the Secrets
// and ConfigMaps that its containers' variables come from.
type podVolumes struct {
	pod    *pod
	tokens *podspec.Tokens
	begin  sync.Once
	ended  sync.WaitGroup // nothing is written any more
	poke   chan struct{}  // holds a value when the pod's labels or annotations changed

	mu           sync.Mutex
	subscription *objects.Subscription
	paths        map[string]string // volume name -> host path
	err          error
	changed      chan struct{} // closed at the next change
}

func newPodVolumes(p *pod) *podVolumes {
	return &podVolumes{
		pod: p, tokens: podspec.NewTokens(p.rt.api, p.object), poke: make(chan struct{}, 1),
		err: errPreparing, changed: make(chan struct{}),
	}
}

// start begins to prepare the volumes. Pods that are only simulated never
// do, and so cost the API nothing.
func (v *podVolumes) start(ctx context.Context) {
	v.begin.Do(func() { v.ended.Go(func() { v.follow(ctx) }) })
}

// state returns why the volumes are not ready, if they are not, and a channel
// that is closed when anything changes.
func (v *podVolumes) state() (changed <-chan struct{}, err error) {
	v.start(v.pod.working)
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.changed, v.err
}

// find returns the data of a Secret or ConfigMap of the pod's namespace.
func (v *podVolumes) find(kind, name string) (map[string][]byte, bool) {
	if kind == podspec.KindConfigMap && name == podspec.RootCA {
		ca, err := os.ReadFile(v.pod.rt.caFile)
		return map[string][]byte{"ca.crt": ca}, err == nil
	}
	v.mu.Lock()
	s := v.subscription
	v.mu.Unlock()
	if s == nil {
		return nil, false
	}
	return s.Get(podspec.Reference{Kind: kind, Namespace: v.pod.namespace, Name: name})
}

// hostPaths returns the host path of each volume by the volume's name.
func (v *podVolumes) hostPaths() map[string]string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return maps.Clone(v.paths)
}

// follow prepares the volumes, and does it again when something that they are
// made from changes or a token nears its end, until ctx ends.
func (v *podVolumes) follow(ctx context.Context) {
	s := v.pod.rt.objects.Subscribe(ctx, podspec.References(v.pod.current(), v.pod.specs()))
	defer s.Close()
	v.mu.Lock()
	v.subscription = s
	v.mu.Unlock()
	if err := s.Wait(ctx); err != nil {
		return
	}
	retry, reported := backoff.Backoff{Min: 100 * time.Millisecond, Max: 5 * time.Second}, ""
	for {
		paths, err := v.prepare(ctx)
		if ctx.Err() != nil {
			return
		}
		v.mu.Lock()
		if v.err = err; err == nil {
			v.paths = paths
		}
		close(v.changed)
		v.changed = make(chan struct{})
		v.mu.Unlock()
		if err != nil && err.Error() != reported {
			reported = err.Error()
			v.pod.event(corev1.EventTypeWarning, "FailedMount", reported)
		}

		// What is missing is announced by a watch; other failures are not.
		var wake <-chan time.Time
		var timer *time.Timer
		if err != nil && !podspec.IsMissing(err) {
			timer = time.NewTimer(retry.Next())
		} else if next := v.tokens.Next(); !next.IsZero() {
			timer = time.NewTimer(max(time.Until(next), time.Second))
		}
		if timer != nil {
			wake = timer.C
		}
		select {
		case <-s.Changed():
		case <-v.poke:
		case <-wake:
		case <-ctx.Done():
		}
		if timer != nil {
			timer.Stop()
		}
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			retry.Reset()
			reported = ""
		}
	}
}

// prepare brings all mounted volumes up to date.
func (v *podVolumes) prepare(ctx context.Context) (map[string]string, error) {
	object := v.pod.current()
	source := podspec.Volumes{Pod: object, Find: v.find, Tokens: v.tokens, Machine: v.pod.rt.machine, Claims: v.pod.rt.api}
	for _, dir := range []string{"tmp", "home"} {
		if err := podspec.MakeDir(filepath.Join(v.pod.dir, dir)); err != nil {
			return nil, err
		}
	}
	paths := map[string]string{}
	for _, volume := range podspec.Mounted(object, v.pod.specs()) {
		path, err := source.Prepare(ctx, volume, filepath.Join(v.pod.dir, "volumes"), v.pod.rt.hostDir)
		if err != nil {
			return nil, err
		}
		paths[volume.Name] = path
	}
	return paths, nil
}
