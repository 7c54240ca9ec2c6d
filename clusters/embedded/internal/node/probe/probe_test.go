package probe

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/process"
)

// target is a container with port 8080, named http, at the local address.
func target(t *testing.T, address string) Target {
	t.Helper()
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	local, _ := strconv.Atoi(text)
	return Target{
		Spec:    &corev1.Container{Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}},
		Binary:  "/bin/sh",
		Rewrite: func(words []string) []string { return words },
		Local:   func(port int32) (int, bool) { return local, port == 8080 },
		Run: func(ctx context.Context, command []string) error {
			return Run(ctx, process.Spec{Path: command[0], Args: command[1:], Dir: "/"})
		},
	}
}

func TestChecks(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/ok" && r.URL.RawQuery == "deep=1" && r.Header.Get("X-Probe") == "yes":
		case r.URL.Path == "/moved":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case r.URL.Path == "/slow":
			<-r.Context().Done()
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	address, _ := url.Parse(server.URL)
	get := func(path string) corev1.ProbeHandler {
		return corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
			Path: path, Port: intstr.FromString("http"), HTTPHeaders: []corev1.HTTPHeader{{Name: "X-Probe", Value: "yes"}},
		}}
	}
	tcp := func(port intstr.IntOrString) corev1.ProbeHandler {
		return corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: port}}
	}
	run := func(command ...string) corev1.ProbeHandler {
		return corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: command}}
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().(*net.TCPAddr).Port
	closed.Close()
	for name, test := range map[string]struct {
		handler corev1.ProbeHandler
		well    bool
	}{
		"http":             {get("/ok?deep=1"), true},
		"http redirect":    {get("/moved"), true},
		"http failure":     {get("/other"), false},
		"http too slow":    {get("/slow"), false},
		"tcp by number":    {tcp(intstr.FromInt32(8080)), true},
		"tcp nobody there": {tcp(intstr.FromInt(nobody)), false},
		"exec":             {run("sh", "-c", "exit 0"), true},
		"exec failure":     {run("/bin/sh", "-c", "exit 3"), false},
	} {
		t.Run(name, func(t *testing.T) {
			ask, err := New(target(t, address.Host), test.handler)
			if err != nil {
				t.Fatal(err)
			}
			err = askOnce(t.Context(), Schedule{timeout: 500 * time.Millisecond}, ask)
			if (err == nil) != test.well {
				t.Errorf("got %v, want well: %v", err, test.well)
			}
		})
	}
	if _, err := New(target(t, address.Host), run("cat", "/etc/hosts")); !errors.Is(err, ErrUnsupported) {
		t.Errorf("a foreign program: %v", err)
	}
	if _, err := New(target(t, address.Host), tcp(intstr.FromString("nope"))); err == nil || errors.Is(err, ErrUnsupported) {
		t.Errorf("an unknown port name: %v", err)
	}
}

func TestUntilWell(t *testing.T) {
	s := Schedule{period: time.Hour, timeout: time.Second, successes: 2, failures: 3}
	var asked atomic.Int32
	ask := func(context.Context) error {
		if asked.Add(1) == 2 {
			return errors.New("once more")
		}
		return nil
	}
	// Well, unwell, well, well: quickly, though the period is an hour.
	if err := UntilWell(t.Context(), s, time.Time{}, ask, func(error) {}); err != nil || asked.Load() != 4 {
		t.Errorf("%v after %d", err, asked.Load())
	}
	never := func(context.Context) error { return errors.New("no") }
	if err := UntilWell(t.Context(), s, time.Now().Add(100*time.Millisecond), never, func(error) {}); err == nil {
		t.Error("the deadline was not kept")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := UntilWell(ctx, s, time.Time{}, never, func(error) {}); err != nil {
		t.Error(err)
	}
}

func TestWhileWell(t *testing.T) {
	s := Schedule{period: time.Millisecond, timeout: time.Second, successes: 1, failures: 2}
	answers := []bool{true, false, true, false, false}
	told := 0
	ask := func(context.Context) error {
		well := answers[0]
		answers = answers[1:]
		if !well {
			return errors.New("unwell")
		}
		return nil
	}
	if err := WhileWell(t.Context(), s, ask, func(error) { told++ }); err == nil || told != 3 || len(answers) != 0 {
		t.Errorf("%v, told %d, left %v", err, told, answers)
	}
}
