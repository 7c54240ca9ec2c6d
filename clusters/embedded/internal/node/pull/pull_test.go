package pull

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
)

func TestMissing(t *testing.T) {
	tags := []string{"v1.9.3", "v1.10.1", "v1.9.3"}
	const repository = "ghcr.io/fluxcd/source-controller"
	for reference, missing := range map[string]bool{
		repository + ":v1.9.3":                false,
		repository + ":v1.10.1":               false,
		repository + ":v9":                    true,
		repository + ":v1.9":                  true,
		repository:                            true, // latest
		repository + "@sha256:abc":            true,
		repository + ":v1.9.3@sha256:abc":     true,
		"localhost:5000/app:v1.9.3":           false,
		"localhost:5000/app":                  true,
		"localhost:5000/app:v1.10.1@sha256:1": true,
	} {
		err := Missing(reference, tags)
		if (err != nil) != missing {
			t.Errorf("%s: %v", reference, err)
		}
		if err != nil && (!strings.Contains(err.Error(), `"`+reference+`": not found`) || !strings.HasSuffix(err.Error(), ":v1.10.1, :v1.9.3")) {
			t.Errorf("%s does not name the tags that there are: %v", reference, err)
		}
	}
	if err := Missing("ghcr.io/fluxdemo/fluxdemo", []string{"latest"}); err != nil {
		t.Errorf("no tag means latest: %v", err)
	}
}

// seen is what a pod shows.
type seen struct {
	mu    sync.Mutex
	lines []string
}

func (s *seen) add(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, line)
}

func (s *seen) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := s.lines
	s.lines = nil
	return lines
}

func failure(s *seen, policy corev1.PullPolicy) Failure {
	return Failure{
		Reference: "a/b:c", Policy: policy, Err: Missing("a/b:c", []string{"d"}),
		Event:   func(kind, reason, message string) { s.add(kind + " " + reason + " " + message) },
		Waiting: func(reason, message string) { s.add("waiting " + reason + " " + message) },
	}
}

// TestShow compares with what a kubelet of 1.36 writes, and when.
func TestShow(t *testing.T) {
	const problem = `failed to resolve reference "a/b:c": not found: this cluster pulls no images, and has only a/b:d`
	attempt := []string{
		`Normal Pulling Pulling image "a/b:c"`,
		`Warning Failed Failed to pull image "a/b:c": ` + problem,
		`Warning Failed Error: ErrImagePull`,
		`waiting ErrImagePull ` + problem,
	}
	backOff := []string{
		`Normal BackOff Back-off pulling image "a/b:c"`,
		`Warning Failed Error: ImagePullBackOff`,
		`waiting ImagePullBackOff Back-off pulling image "a/b:c": ErrImagePull: ` + problem,
	}
	never := []string{
		`Warning ErrImageNeverPull Container image "a/b:c" is not present with pull policy of Never`,
		`Warning Failed Error: ErrImageNeverPull`,
		`waiting ErrImageNeverPull Container image "a/b:c" is not present with pull policy of Never`,
	}
	type look struct {
		after time.Duration
		want  []string
	}
	for name, test := range map[string]struct {
		policy corev1.PullPolicy
		looks  []look
	}{
		"back-off doubles": {corev1.PullIfNotPresent, []look{
			{0, attempt}, {2 * time.Second, backOff}, {7 * time.Second, nil}, {time.Second, attempt},
			{2 * time.Second, backOff}, {17 * time.Second, nil}, {time.Second, attempt},
		}},
		"never": {corev1.PullNever, []look{{0, never}, {time.Hour, nil}}},
	} {
		for _, changes := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					s, changed, result := &seen{}, make(chan struct{}, 1), make(chan bool, 1)
					go func() { result <- failure(s, test.policy).Show(ctx, changed) }()
					for i, look := range test.looks {
						time.Sleep(look.after) // of the bubble's clock
						synctest.Wait()
						if got := s.take(); !slices.Equal(got, look.want) {
							t.Fatalf("look %d: got\n%s\nwant\n%s", i, strings.Join(got, "\n"), strings.Join(look.want, "\n"))
						}
					}
					if changes {
						changed <- struct{}{}
					} else {
						cancel()
					}
					if got := <-result; got != changes {
						t.Errorf("Show returned %v", got)
					}
				})
			})
		}
	}
}

// TestShowEndsAtFiveMinutes holds the back-off to the kubelet's longest.
func TestShowEndsAtFiveMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s, done := &seen{}, make(chan struct{})
		go func() {
			defer close(done)
			failure(s, "").Show(ctx, nil)
		}()
		time.Sleep(time.Hour)
		synctest.Wait()
		s.take()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if got := len(s.take()); got != 14 { // two attempts and two back-offs
			t.Errorf("%d lines in ten minutes, want 14", got)
		}
		cancel()
		<-done
	})
}
