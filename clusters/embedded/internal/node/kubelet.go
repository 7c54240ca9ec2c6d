package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/virtual-kubelet/virtual-kubelet/node/api"
	corev1 "k8s.io/api/core/v1"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/images"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/podlog"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/podspec"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/stream"
	"github.com/fluxdemo/fluxdemo/clusters/internal/limit"
)

// kubelet serves the part of the kubelet API that kubectl's commands need.
type kubelet struct {
	runtime *runtime
	tls     *tls.Config
}

func newKubelet(r *runtime, config *tls.Config) *kubelet {
	return &kubelet{runtime: r, tls: config}
}

// kubeletTLS lets only clients in that have a certificate of the given CA, in
// the given name unless that is empty.
func kubeletTLS(certFile, keyFile, clientCAFile, clientName string) (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("reading the kubelet API's certificate: %w", err)
	}
	ca, err := os.ReadFile(clientCAFile)
	if err != nil {
		return nil, fmt.Errorf("reading the kubelet API's client CA: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("the kubelet API's client CA %s holds no certificate", clientCAFile)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
		VerifyConnection: func(state tls.ConnectionState) error {
			if name := state.PeerCertificates[0].Subject.CommonName; clientName != "" && name != clientName {
				return fmt.Errorf("%q may not call the kubelet API", name)
			}
			return nil
		},
		// Streams are upgraded connections, which HTTP/2 has no room for.
		NextProtos: []string{"http/1.1"},
	}, nil
}

// maxClients is how many connections the kubelet API and the metrics API take
// at a time, each.
const maxClients = 512

// serve serves on the listener until ctx ends.
func (k *kubelet) serve(ctx context.Context, listener net.Listener) {
	serve(ctx, listener, k.handler(), k.tls, k.runtime.logf)
}

func serve(ctx context.Context, listener net.Listener, handler http.Handler, config *tls.Config, logf func(string, ...any)) {
	server := &http.Server{
		Handler: limit.Proven(handler), TLSConfig: config, // it asks for a certificate
		ReadHeaderTimeout: requestTimeout, IdleTimeout: 2 * time.Minute, ConnContext: limit.Context,
		ErrorLog: log.New(logWriter(logf), "", 0),
		// Streams have to end with the node.
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.ServeTLS(limit.New(maxClients, maxClients).Listener("", listener), "", ""); err != nil && !errors.Is(err, http.ErrServerClosed) {
		logf("kubelet API: %v", err)
	}
}

// logWriter passes lines on to a log function.
type logWriter func(format string, args ...any)

func (w logWriter) Write(line []byte) (int, error) {
	w("kubelet API: %s", bytes.TrimSpace(line))
	return len(line), nil
}

func (k *kubelet) handler() http.Handler {
	streams := api.PodHandler(api.PodHandlerConfig{
		RunInContainer:    k.exec,
		AttachToContainer: k.attach,
		PortForward:       k.portForward,
		GetPods:           k.runtime.GetPods,
		GetPodsFromKubernetes: func(ctx context.Context) ([]*corev1.Pod, error) {
			return k.runtime.GetPods(ctx)
		},
		StreamIdleTimeout: stream.Idle,
		// The port-forward handler takes this one for the idle time.
		StreamCreationTimeout: stream.Idle,
	}, false)
	mux := http.NewServeMux()
	// Logs are served here and not by the package, which cannot tell
	// --tail=0 from no --tail.
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", k.logs)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	mux.Handle("/exec/{namespace}/{pod}/{container}", stream.Guard{Check: k.refuse, Next: streams,
		Run: func(ctx context.Context, r *http.Request, client stream.Client) error {
			return k.exec(ctx, r.PathValue("namespace"), r.PathValue("pod"), r.PathValue("container"), r.URL.Query()["command"], client)
		}})
	mux.Handle("/attach/{namespace}/{pod}/{container}", stream.Guard{Check: k.refuse, Next: streams,
		Run: func(ctx context.Context, r *http.Request, client stream.Client) error {
			return k.attach(ctx, r.PathValue("namespace"), r.PathValue("pod"), r.PathValue("container"), client)
		}})
	mux.Handle("/portForward/{namespace}/{pod}", stream.Tunnel(streams))
	mux.Handle("/", streams)
	return mux
}

func (k *kubelet) logs(w http.ResponseWriter, r *http.Request) {
	key := podlog.Key{Namespace: r.PathValue("namespace"), Pod: r.PathValue("pod"), Container: r.PathValue("container")}
	options, err := podlog.ParseOptions(r.URL.Query(), time.Now())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	object := k.runtime.find(key.Namespace, key.Pod)
	if object == nil {
		http.Error(w, fmt.Sprintf("pod %s/%s is not on this node", key.Namespace, key.Pod), http.StatusNotFound)
		return
	}
	for _, c := range object.Spec.EphemeralContainers {
		if c.Name == key.Container {
			_ = podlog.Say(w, time.Now(), ephemeralMessage(object, c), options)
			return
		}
	}
	spec := podspec.Container(object, key.Container)
	if spec == nil {
		http.Error(w, fmt.Sprintf("container %q is not in pod %s/%s", key.Container, key.Namespace, key.Pod), http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	control := http.NewResponseController(w)
	flush := func() { _ = control.Flush() }
	if _, known := images.Find(k.runtime.images, spec.Image); !known {
		_ = podlog.Say(w, time.Now(), images.Simulated(spec.Image), options)
		return
	}
	err = k.runtime.logs.Read(r.Context(), key, options, w, flush)
	switch {
	case errors.Is(err, fs.ErrNotExist) && options.Previous:
		http.Error(w, fmt.Sprintf("previous terminated container %q in pod %q not found", key.Container, key.Pod), http.StatusBadRequest)
	case errors.Is(err, fs.ErrNotExist):
		http.Error(w, fmt.Sprintf("container %q in pod %q is waiting to start: %s", key.Container, key.Pod, waitingFor(object, key.Container)), http.StatusBadRequest)
	case err != nil && r.Context().Err() == nil:
		k.runtime.logf("log of %s/%s/%s: %v", key.Namespace, key.Pod, key.Container, err)
	}
}
