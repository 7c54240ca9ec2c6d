// Package network is the embedded cluster's network: a forward proxy that
// knows the Services' cluster-DNS names, the NodePorts on 127.0.0.1, and the
// API server's tunnel to pods. It brings every connection to the local port
// on which the virtual node runs the pod's process.
package network

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"math"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/record"

	"github.com/fluxdemo/fluxdemo/clusters/backoff"
	"github.com/fluxdemo/fluxdemo/clusters/internal/informer"
	"github.com/fluxdemo/fluxdemo/clusters/internal/limit"
)

// Config is what a Network needs from the rest of the cluster.
type Config struct {
	// Client reads Services and EndpointSlices and writes Events. The API
	// server need not run yet when New is called.
	Client kubernetes.Interface
	// Locate gives the local address ("127.0.0.1:41234") of a pod's container
	// port; ok is false when no process of the node serves it.
	Locate func(podIP string, port int32) (addr string, ok bool)
	// AllowEgress lets the pods' processes reach hosts outside the cluster,
	// through the proxy that the environment of this process names, if any.
	AllowEgress bool
	// NodeAddr gives the address of the node's own kubelet API, which the API
	// server may reach through the tunnel. It may be nil, and may give "" as
	// long as there is none.
	NodeAddr func() string
	// ProxyAddr is where the forward proxy listens: a loopback address, with
	// port 0 for any free port. Empty means 127.0.0.1:0.
	ProxyAddr string
	// EgressSocket is the path of the unix socket for the API server's egress
	// selector (HTTPConnect). Its folder must exist; New closes it to other
	// users.
	EgressSocket string
	// Reserved says which ports of this machine load balancers must not take.
	// It may be nil.
	Reserved func(port int32) bool
	// Logf takes one line a call, without a newline at its end. Nil drops them.
	Logf func(format string, args ...any)
}

// Network is one cluster's network. Make it with New, then call Run once.
type Network struct {
	cfg     Config
	secret  string // what the proxy asks for
	proxyLn net.Listener
	sockLn  net.Listener
	factory informers.SharedInformerFactory
	resolve *resolver
	ports   *limit.Pool // of the ports for Services
}

// The bounds of what clients may ask of the proxy and of the tunnel. Each pod
// keeps a few connections open to each Service that it asks.
const (
	maxConns  = 512
	maxHeader = 64 << 10
)

// New binds the proxy's port and the tunnel's socket, so that both addresses
// are known before the API server runs; connections wait until Run serves
// them. A port that is taken gives an error that is syscall.EADDRINUSE.
func New(cfg Config) (*Network, error) {
	if cfg.Client == nil || cfg.Locate == nil {
		return nil, errors.New("making the cluster's network: Client and Locate are needed")
	}
	if cfg.Logf == nil {
		cfg.Logf = func(string, ...any) {}
	}
	if cfg.NodeAddr == nil {
		cfg.NodeAddr = func() string { return "" }
	}
	proxyLn, err := listenLoopback(cfg.ProxyAddr)
	if err != nil {
		return nil, fmt.Errorf("binding the cluster's proxy: %w", err)
	}
	sockLn, err := listenSocket(cfg.EgressSocket)
	if err != nil {
		proxyLn.Close()
		return nil, fmt.Errorf("binding the API server's tunnel: %w", err)
	}
	factory := informers.NewSharedInformerFactoryWithOptions(cfg.Client, 0,
		informers.WithTransform(dropManagedFields))
	resolve, err := newResolver(factory, cfg.Locate)
	if err != nil {
		proxyLn.Close()
		sockLn.Close()
		return nil, fmt.Errorf("preparing the watch on Services: %w", err)
	}
	return &Network{cfg: cfg, secret: rand.Text(), proxyLn: proxyLn, sockLn: sockLn, factory: factory, resolve: resolve, ports: limit.Ports()}, nil
}

// ProxyURL is the value for HTTP_PROXY and HTTPS_PROXY. It holds the secret
// without which the proxy serves nobody: another user of this machine reaches
// the port too. The secret is a new one for each Network, so keep it to the
// environment of pods.
func (n *Network) ProxyURL() string {
	proxy := url.URL{Scheme: "http", User: url.UserPassword(proxyUser, n.secret), Host: n.proxyLn.Addr().String()}
	return proxy.String()
}

// Run watches Services and EndpointSlices and serves the proxy, the tunnel
// and the NodePorts until ctx ends; then it closes all listeners and
// connections, and returns nil. Any other error means that a listener broke.
func (n *Network) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	events := record.NewBroadcaster(record.WithContext(ctx))
	defer events.Shutdown()
	events.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: n.cfg.Client.CoreV1().Events("")})
	recorder := events.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "fluxdemo-network"})
	ports := n.nodePorts(recorder)
	update := func(service *corev1.Service, deleted bool) { ports.Update(ctx, service, deleted) }
	_, err := n.resolve.services.AddEventHandler(informer.OnEach(update))
	balancer, failed := n.loadBalancer(recorder)
	if err := errors.Join(err, failed, n.nameIngresses(recorder)); err != nil {
		n.proxyLn.Close()
		n.sockLn.Close()
		return fmt.Errorf("preparing the watch on Services: %w", err)
	}

	proxy := newProxy(n.resolve, n.secret, n.cfg.AllowEgress, n.cfg.Logf)
	tunnel := &tunnel{resolve: n.resolve, nodeAddr: n.cfg.NodeAddr}
	// Only processes of this user reach the tunnel's socket.
	servers := []*http.Server{n.server(ctx, proxy), n.server(ctx, limit.Proven(tunnel))}
	broken := make(chan error, len(servers))
	var group sync.WaitGroup
	for i, listener := range []net.Listener{n.proxyLn, n.sockLn} {
		group.Go(func() {
			if err := servers[i].Serve(limit.New(maxConns, maxConns).Listener("", listener)); !errors.Is(err, http.ErrServerClosed) {
				broken <- fmt.Errorf("serving the cluster's network on %s: %w", listener.Addr(), err)
			}
		})
	}
	group.Go(func() { balancer.Run(ctx) })
	group.Go(func() {
		if n.awaitAPI(ctx) {
			n.factory.StartWithContext(ctx)
			n.resolve.awaitSync(ctx)
		}
	})

	select {
	case <-ctx.Done():
	case err = <-broken:
	}
	cancel() // ends tunnels, upgraded connections and requests under way
	for _, server := range servers {
		server.Close()
	}
	proxy.close()
	group.Wait()
	n.factory.Shutdown()
	ports.Wait()
	return err
}

// server has no limits on how long a body may take: watches, event streams
// and large clones go through it.
func (n *Network) server(ctx context.Context, handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeader,
		ConnContext:       limit.Context,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          log.New(lines(n.cfg.Logf), "", 0),
	}
}

// awaitAPI waits for the first answer of the API server. An informer that is
// refused at first waits 0.8 to 1.6 s and then twice that, which would be a
// large part of the whole cluster's start; asking often costs nothing.
func (n *Network) awaitAPI(ctx context.Context) bool {
	const most = time.Second
	logged := false
	next := wait.Backoff{Duration: 50 * time.Millisecond, Factor: 1.25, Steps: math.MaxInt, Cap: most}.DelayFunc()
	for {
		err := n.askAPI(ctx)
		if err == nil {
			return true
		}
		pause := next()
		if pause == most && !logged {
			logged = true
			n.cfg.Logf("network: still waiting for the API server: %v", err)
		}
		if !backoff.Pause(ctx, pause) {
			return false
		}
	}
}

func (n *Network) askAPI(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err := n.cfg.Client.CoreV1().Services(metav1.NamespaceAll).List(ctx, metav1.ListOptions{Limit: 1})
	return err
}

// dropManagedFields keeps out of memory what makes up most of an object and
// is never looked at here.
func dropManagedFields(obj any) (any, error) {
	if object, err := meta.Accessor(obj); err == nil {
		object.SetManagedFields(nil)
	}
	return obj, nil
}

// listenLoopback refuses addresses that are not loopback, because a client
// that reaches the proxy reaches the whole cluster.
func listenLoopback(addr string) (net.Listener, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("%s is not a loopback address; use 127.0.0.1:0", addr)
	}
	return net.Listen("tcp", addr)
}

// lines makes a writer for package log of a Logf function.
type lines func(format string, args ...any)

func (l lines) Write(p []byte) (int, error) {
	l("network: %s", strings.TrimSpace(string(p)))
	return len(p), nil
}
