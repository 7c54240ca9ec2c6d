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
)

// errPreparing says that the volumes have not been looked at yet.
var errPreparing = errors.New("the pod's volumes are being prepared")

// podVolumes keeps the volumes of one pod up to date, and knows the Secrets
// and ConfigMaps that its containers' variables come from.
type podVolumes struct {
	pod    *pod
	tokens *tokens
	begin  sync.Once
	ended  sync.WaitGroup // nothing is written any more
	poke   chan struct{}  // holds a value when the pod's labels or annotations changed

	mu           sync.Mutex
	subscription *subscription
	paths        map[string]string // volume name -> host path
	err          error
	changed      chan struct{} // closed at the next change
}

func newPodVolumes(p *pod) *podVolumes {
	return &podVolumes{
		pod: p, tokens: newTokens(p.rt.api, p.object), poke: make(chan struct{}, 1),
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
	if kind == kindConfigMap && name == rootCAConfigMap {
		ca, err := os.ReadFile(v.pod.rt.caFile)
		return map[string][]byte{"ca.crt": ca}, err == nil
	}
	v.mu.Lock()
	s := v.subscription
	v.mu.Unlock()
	if s == nil {
		return nil, false
	}
	return s.get(reference{kind: kind, namespace: v.pod.namespace, name: name})
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
	const firstRetry, longestRetry = 100 * time.Millisecond, 5 * time.Second
	s := v.pod.rt.objects.subscribe(podReferences(v.pod.current(), v.pod.specs()))
	defer s.close()
	v.mu.Lock()
	v.subscription = s
	v.mu.Unlock()
	if err := s.wait(ctx); err != nil {
		return
	}
	retry, told := firstRetry, ""
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
		if err != nil && err.Error() != told {
			told = err.Error()
			v.pod.event(corev1.EventTypeWarning, "FailedMount", told)
		}

		// What is missing is announced by a watch; other failures are not.
		var wake <-chan time.Time
		var timer *time.Timer
		if err != nil && !isMissing(err) {
			timer = time.NewTimer(retry)
			retry = min(2*retry, longestRetry)
		} else if next := v.tokens.next(); !next.IsZero() {
			timer = time.NewTimer(max(time.Until(next), time.Second))
		}
		if timer != nil {
			wake = timer.C
		}
		select {
		case <-s.changed:
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
			retry, told = firstRetry, ""
		}
	}
}

// prepare brings all mounted volumes up to date.
func (v *podVolumes) prepare(ctx context.Context) (map[string]string, error) {
	object := v.pod.current()
	source := volumeSource{pod: object, find: v.find, tokens: v.tokens, machine: v.pod.rt.machine}
	for _, dir := range []string{"tmp", "home"} {
		if err := makeDir(filepath.Join(v.pod.dir, dir)); err != nil {
			return nil, err
		}
	}
	paths := map[string]string{}
	for _, volume := range mountedVolumes(object, v.pod.specs()) {
		path, err := source.prepareVolume(ctx, volume, filepath.Join(v.pod.dir, "volumes"), v.pod.rt.hostDir)
		if err != nil {
			return nil, err
		}
		paths[volume.Name] = path
	}
	return paths, nil
}
