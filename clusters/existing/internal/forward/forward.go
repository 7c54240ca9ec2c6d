// Package forward makes the NodePort Services of a few namespaces available on
// this machine: it listens on 127.0.0.1 for each of their ports, and forwards
// connections through the API server to a ready pod. It is a process of its
// own, which outlives the command that started it.
package forward

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/fluxdemo/fluxdemo/clusters/internal/detached"
	"github.com/fluxdemo/fluxdemo/clusters/internal/informer"
	"github.com/fluxdemo/fluxdemo/clusters/internal/nodeport"
	"github.com/fluxdemo/fluxdemo/clusters/statefile"
)

// Component is the name of the forwarder among a cluster's components.
const Component = "port-forward"

// Options are the settings of a forwarder.
type Options struct {
	Dir        string   // the cluster's folder
	Kubeconfig string   // of the cluster
	Namespaces []string // whose Services it forwards
	Program    string   // path of the fluxdemo executable, for Start
}

// State is what a forwarder tells about itself.
type State struct {
	PID     int           `json:"pid"`
	Started time.Time     `json:"started"`
	Ports   map[int32]int `json:"ports"` // NodePort to port of this machine
}

// Folder is the name of the forwarder's folder in the cluster's.
const Folder = "forward"

func folder(dir string) string    { return filepath.Join(dir, Folder) }
func stateFile(dir string) string { return filepath.Join(folder(dir), "state.json") }

// process is the forwarder of a cluster's folder, as seen from outside.
func process(dir string) detached.Process {
	return detached.Process{
		Name: "port forwarder", Verb: "forward",
		Lock: filepath.Join(folder(dir), "lock"), Log: LogFile(dir),
	}
}

// LogFile is where the forwarder of a cluster's folder writes its log.
func LogFile(dir string) string { return filepath.Join(folder(dir), "port-forward.log") }

// ErrRunning is returned by Run when another forwarder has the cluster.
var ErrRunning = errors.New("this cluster already has a running port forwarder")

// forwarder forwards the ports of one cluster.
type forwarder struct {
	options Options
	logf    func(format string, args ...any)

	mu    sync.Mutex
	state State
	open  map[int32]bool // NodePorts that are listened for
}

// Run forwards until ctx ends. It calls ready once it listens on all ports
// that there are at the start.
func Run(ctx context.Context, o Options, logf func(format string, args ...any), ready func()) error {
	release, err := process(o.Dir).Hold(ctx)
	switch {
	case errors.Is(err, detached.ErrHeld):
		return ErrRunning
	case err != nil:
		return fmt.Errorf("locking the port forwarder: %w", err)
	}
	defer release()
	config, err := clientcmd.BuildConfigFromFlags("", o.Kubeconfig)
	if err != nil {
		return fmt.Errorf("reading the cluster's kubeconfig: %w", err)
	}
	f := &forwarder{
		options: o, logf: logf, open: map[int32]bool{},
		state: State{PID: os.Getpid(), Started: time.Now(), Ports: map[int32]int{}},
	}
	// The ports of last time, so that a page that is open goes on.
	if before, err := readState(o.Dir); err == nil && before.Ports != nil {
		f.state.Ports = before.Ports
	}
	if err := f.follow(ctx, config); err != nil {
		return err
	}
	if err := f.forget(); err != nil {
		return err
	}
	ready()
	<-ctx.Done()
	return nil
}

// follow starts to listen for every NodePort that there is and will be.
func (f *forwarder) follow(ctx context.Context, config *rest.Config) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	endpoints := newEndpoints()
	ports := nodeport.New(nodeport.Config{
		Dial:   newTunnels(config, client, endpoints, f.logf).dial,
		Listen: f.listen, Opened: f.opened, Closed: f.closed,
		Unavailable: func(number int32, _ nodeport.Target, err error) { f.logf("node port %d: %v", number, err) },
		Logf:        f.logf,
	})
	var synced []cache.InformerSynced
	for _, namespace := range f.options.Namespaces {
		factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace))
		services, err := factory.Core().V1().Services().Informer().AddEventHandler(informer.OnEach(func(service *corev1.Service, deleted bool) {
			ports.Update(ctx, service, deleted)
		}))
		if err != nil {
			return err
		}
		if err := endpoints.follow(factory); err != nil {
			return err
		}
		factory.Start(ctx.Done())
		synced = append(synced, services.HasSynced)
	}
	if !cache.WaitForCacheSync(ctx.Done(), synced...) {
		return fmt.Errorf("listing the Services: %w", ctx.Err())
	}
	return nil
}

// listen opens the port of this machine for a NodePort: the one that it had
// last time, else any.
func (f *forwarder) listen(ctx context.Context, nodePort int32) (l net.Listener, err error) {
	f.mu.Lock()
	before := f.state.Ports[nodePort]
	f.mu.Unlock()
	for _, port := range []int{before, 0} {
		if l, err = (&net.ListenConfig{}).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return l, nil
		}
	}
	return nil, err
}

// opened keeps the port of a NodePort for those who ask.
func (f *forwarder) opened(nodePort int32, target nodeport.Target, at net.Addr, _ bool) {
	address, ok := at.(*net.TCPAddr)
	if !ok {
		f.logf("node port %d: %s is no TCP address", nodePort, at)
		return
	}
	f.logf("%s forwards to service %s/%s", at, target.Namespace, target.Service)
	f.change(func() { f.open[nodePort], f.state.Ports[nodePort] = true, address.Port })
}

func (f *forwarder) closed(nodePort int32) {
	f.change(func() {
		delete(f.open, nodePort)
		delete(f.state.Ports, nodePort)
	})
}

// change changes the state and writes it.
func (f *forwarder) change(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	if err := f.saveLocked(); err != nil {
		f.logf("%v", err)
	}
}

// forget drops the ports of Services that were deleted while no forwarder ran.
func (f *forwarder) forget() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.state.Ports, func(number int32, _ int) bool { return !f.open[number] })
	return f.saveLocked()
}

// saveLocked writes the state, in one piece, for those who ask.
func (f *forwarder) saveLocked() error {
	raw, err := json.Marshal(f.state)
	if err != nil {
		return err
	}
	if err := statefile.Write(stateFile(f.options.Dir), raw, 0o600); err != nil {
		return fmt.Errorf("writing the port forwarder's state: %w", err)
	}
	return nil
}

func readState(dir string) (s State, err error) {
	raw, err := os.ReadFile(stateFile(dir))
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, fmt.Errorf("%s is damaged: %w; `fluxdemo up` restarts the port forwarder", stateFile(dir), err)
	}
	if s.PID == 0 {
		return s, fmt.Errorf("%s is incomplete; `fluxdemo up` restarts the port forwarder", stateFile(dir))
	}
	return s, nil
}

// numbers lists the ports of a state, for people.
func (s State) numbers() []int32 { return slices.Sorted(maps.Keys(s.Ports)) }
