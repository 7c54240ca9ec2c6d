package supervisor

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/controlplane"
)

// TestApply says which components are shown as silent.
func TestApply(t *testing.T) {
	failed := errors.New("connection refused")
	for name, test := range map[string]struct {
		answers map[string]error // of each part, nil: well
		state   map[string]string
		want    map[string]string
	}{
		"all well": {
			map[string]error{"etcd": nil, "kube-apiserver": nil},
			map[string]string{"etcd": "Running", "kube-apiserver": "Running"},
			map[string]string{"etcd": "Running", "kube-apiserver": "Running"},
		},
		"one is silent": {
			map[string]error{"etcd": nil, "kube-apiserver": context.DeadlineExceeded},
			map[string]string{"etcd": "Running", "kube-apiserver": "Running"},
			map[string]string{"etcd": "Running", "kube-apiserver": StateSilent},
		},
		"it restarts already": {
			map[string]error{"kube-apiserver": failed},
			map[string]string{"kube-apiserver": stateRestarting},
			map[string]string{"kube-apiserver": stateRestarting},
		},
		"the API server waits for etcd": {
			map[string]error{"etcd": context.DeadlineExceeded, "kube-apiserver": failed},
			map[string]string{"etcd": "Running", "kube-apiserver": "Running"},
			map[string]string{"etcd": StateSilent, "kube-apiserver": "Running"},
		},
	} {
		var l liveness
		l.record(controlplane.Etcd, nil)
		for part, err := range test.answers {
			l.record(part, err)
		}
		var all []Component
		for part, state := range test.state {
			all = append(all, Component{Name: part, State: state})
		}
		l.apply(all)
		for _, c := range all {
			if c.State != test.want[c.Name] {
				t.Errorf("%s: %s is %s, want %s", name, c.Name, c.State, test.want[c.Name])
			}
			if c.Name == controlplane.Etcd && c.State == StateSilent && (c.Silent.IsZero() || c.LastExit != "no answer within 2s") {
				t.Errorf("%s: it does not say since when, or why: %+v", name, c)
			}
		}
	}
}

// TestRecord forgets a silence with the next answer.
func TestRecord(t *testing.T) {
	var l liveness
	l.record("node", errors.New("late"))
	if s, silent := l.of("node"); !silent || !s.since.IsZero() {
		t.Errorf("it has never answered: %+v, %v", s, silent)
	}
	l.record("node", nil)
	if _, silent := l.of("node"); silent {
		t.Error("it has answered")
	}
	l.record("node", errors.New("late"))
	if s, silent := l.of("node"); !silent || s.since.IsZero() {
		t.Errorf("it answered before: %+v, %v", s, silent)
	}
}

// TestHealthOfServer asks servers that are well, unwell, and silent.
func TestHealthOfServer(t *testing.T) {
	l := liveness{client: http.DefaultClient}
	for path, want := range map[string]string{"well": "", "unwell": "503 Service Unavailable", "silent": "no answer within 2s"} {
		server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch path {
			case "unwell":
				w.WriteHeader(http.StatusServiceUnavailable)
			case "silent":
				<-r.Context().Done()
			}
		}))
		l.client = server.Client()
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		err := l.get(ctx, server.URL)
		cancel()
		server.Close()
		if (err == nil) != (want == "") || err != nil && reason(err) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
}
