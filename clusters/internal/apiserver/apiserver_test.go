package apiserver

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// kubeconfig writes one for the server at address and returns its path.
func kubeconfig(t *testing.T, address string) string {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: address}
	config.Contexts["c"] = &clientcmdapi.Context{Cluster: "c"}
	config.CurrentContext = "c"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAwaitReady(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path != "/readyz" {
			t.Errorf("it asks for %s", req.URL.Path)
		}
		if asked.Add(1) < 3 {
			http.Error(w, "etcd is not ready", http.StatusInternalServerError)
		}
	}))
	defer server.Close()
	if err := AwaitReady(t.Context(), kubeconfig(t, server.URL), time.Minute); err != nil || asked.Load() != 3 {
		t.Errorf("%v after it was asked %d times", err, asked.Load())
	}
}

func TestAwaitReadyGivesUp(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "etcd is not ready", http.StatusInternalServerError)
	}))
	defer server.Close()
	if err := AwaitReady(t.Context(), kubeconfig(t, server.URL), 10*time.Millisecond); err == nil || !strings.Contains(err.Error(), "the API server does not answer") {
		t.Errorf("got %v", err)
	}
	if err := AwaitReady(t.Context(), filepath.Join(t.TempDir(), "none"), time.Minute); err == nil || !strings.Contains(err.Error(), "`fluxdemo up` writes it") {
		t.Errorf("without a kubeconfig: %v", err)
	}
}
