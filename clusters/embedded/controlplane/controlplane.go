// Package controlplane makes the configuration files and flags of etcd,
// kube-apiserver, kube-controller-manager, and kube-scheduler for one demo
// cluster on one machine. It does not start the processes.
package controlplane

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/pki"
	"github.com/fluxdemo/fluxdemo/clusters/statefile"
)

// Names of the components, in the order in which they come up.
const (
	Etcd              = "etcd"
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
)

// RunDir is the components' working folder, relative to the cluster's.
const RunDir = "run"

// EtcdDir is the folder of etcd's data, relative to the cluster's.
const EtcdDir = "etcd"

// EgressSocket is where kube-apiserver expects an HTTP CONNECT proxy to the
// pods and the node, relative to RunDir.
const EgressSocket = "egress.sock"

// EtcdSocket is where etcd answers, relative to RunDir.
const EtcdSocket = "etcd.sock"

// Config says where the cluster lives and which ports it has. Sockets are
// named relative to RunDir, which has to be the components' working folder: a
// unix socket's path may have 107 bytes, and a home folder can be longer than
// that.
type Config struct {
	Dir  string // the cluster's folder
	PKI  pki.PKI
	Port int // of kube-apiserver on 127.0.0.1
	// SharedPort says that another process of this user keeps the port for
	// kube-apiserver, with SO_REUSEPORT and without listening.
	SharedPort bool
	NodePorts  string // range for Services, "30000-30099"
	// Where kube-controller-manager and kube-scheduler say on 127.0.0.1 that
	// they are alive; 0 for nowhere.
	ManagerPort, SchedulerPort int
}

// Component is one process of the control plane.
type Component struct {
	Name string
	Args []string // without the program's name
	Env  []string // KEY=value
}

// Components returns the four components in the order of the constants. It
// writes the configuration files that they read.
func Components(c Config) ([]Component, error) {
	for _, dir := range []string{RunDir, EtcdDir} {
		if err := os.MkdirAll(filepath.Join(c.Dir, dir), 0o700); err != nil {
			return nil, err
		}
	}
	if err := statefile.Write(filepath.Join(c.Dir, RunDir, "egress.yaml"), []byte(egressConfig), 0o600); err != nil {
		return nil, err
	}
	for _, name := range []string{ControllerManager, Scheduler, pki.Admin} {
		if err := c.WriteKubeconfig(filepath.Join(c.Dir, RunDir, name+".kubeconfig"), name); err != nil {
			return nil, err
		}
	}
	return []Component{
		{Name: Etcd, Args: c.etcd()},
		// With ten thousand Kustomizations the watch cache makes a heap that would
		// grow to twice its size before it is collected; a laptop has other uses
		// for that. Below, as in every demo, it changes nothing.
		{Name: APIServer, Args: c.apiServer(), Env: []string{"GOMEMLIMIT=2500MiB"}},
		{Name: ControllerManager, Args: c.controllerManager(), Env: []string{"GOGC=50"}},
		{Name: Scheduler, Args: c.scheduler(), Env: []string{"GOGC=50"}},
	}, nil
}

// Server is the URL of the API server.
func (c Config) Server() string { return fmt.Sprintf("https://127.0.0.1:%d", c.Port) }

// Unix sockets in a folder that only the owner may enter: etcd needs no
// port and no certificates, and no other user of the machine reads Secrets.
//
// etcd requires a host and a port to advertise. With one member, and clients
// that know the socket, the advertised address is never used.
const (
	etcdClient    = "unix://" + EtcdSocket
	etcdPeer      = "unix://etcd-peer.sock"
	etcdAdvertise = "http://localhost:0"
)

func (c Config) etcd() []string {
	return []string{
		"--name=default",
		"--data-dir=../etcd",
		"--listen-client-urls=" + etcdClient,
		"--advertise-client-urls=" + etcdAdvertise,
		"--listen-peer-urls=" + etcdPeer,
		"--initial-advertise-peer-urls=" + etcdAdvertise,
		"--initial-cluster=default=" + etcdAdvertise,
		// A demo's data has to outlive a crash of the process, not a power
		// cut: the page cache does that without a disk flush per write.
		"--unsafe-no-fsync",
		"--log-level=warn",
		"--auto-compaction-mode=periodic",
		"--auto-compaction-retention=5m",
		"--quota-backend-bytes=4294967296",
		// One member elects itself, so the default second of waiting for
		// other votes would be lost.
		"--heartbeat-interval=20",
		"--election-timeout=200",
	}
}

func (c Config) apiServer() []string {
	return []string{
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", c.Port),
		fmt.Sprintf("--permit-port-sharing=%t", c.SharedPort),
		"--etcd-servers=" + etcdClient,
		"--tls-cert-file=" + c.PKI.CertFile(pki.APIServer),
		"--tls-private-key-file=" + c.PKI.KeyFile(pki.APIServer),
		"--client-ca-file=" + c.PKI.CAFile(),
		"--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + c.PKI.KeyFile(pki.ServiceAccount),
		"--service-account-signing-key-file=" + c.PKI.KeyFile(pki.ServiceAccount),
		// Services come and go by the thousand in load tests; a /24 ends at 254.
		"--service-cluster-ip-range=10.96.0.0/16",
		"--service-node-port-range=" + c.NodePorts,
		// The endpoints of the service "kubernetes" may not be loopback.
		"--endpoint-reconciler-type=none",
		"--egress-selector-config-file=egress.yaml",
		"--kubelet-preferred-address-types=InternalIP",
		"--kubelet-certificate-authority=" + c.PKI.CAFile(),
		"--kubelet-client-certificate=" + c.PKI.CertFile(pki.KubeletClient),
		"--kubelet-client-key=" + c.PKI.KeyFile(pki.KubeletClient),
		// The metrics API is the node's, and this is how the API server asks it.
		"--requestheader-client-ca-file=" + c.PKI.ProxyCAFile(),
		"--requestheader-allowed-names=" + pki.ProxyName,
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + c.PKI.CertFile(pki.Proxy),
		"--proxy-client-key-file=" + c.PKI.KeyFile(pki.Proxy),
		// The node is there when it says so: nothing would take the taint off.
		"--disable-admission-plugins=TaintNodesByCondition",
		// A demo's first seconds are all requests; fairness between users
		// would queue all others behind them.
		"--enable-priority-and-fairness=false",
		"--max-requests-inflight=2000",
		"--max-mutating-requests-inflight=1000",
		"--event-ttl=1h",
	}
}

func (c Config) controllerManager() []string {
	return append(c.client(ControllerManager, c.ManagerPort),
		"--root-ca-file="+c.PKI.CAFile(),
		"--service-account-private-key-file="+c.PKI.KeyFile(pki.ServiceAccount),
		"--concurrent-deployment-syncs=10",
		"--concurrent-replicaset-syncs=10",
	)
}

func (c Config) scheduler() []string { return c.client(Scheduler, c.SchedulerPort) }

// client returns the flags that all clients of the API server share. Each
// client runs once, so it elects no leader. It answers nothing but whether it is
// alive, which needs no credentials: those of others are not looked up.
func (c Config) client(name string, port int) []string {
	kubeconfig := name + ".kubeconfig"
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--leader-elect=false",
		"--authentication-skip-lookup=true",
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", port),
		"--tls-cert-file=" + c.PKI.CertFile(pki.Node),
		"--tls-private-key-file=" + c.PKI.KeyFile(pki.Node),
		"--kube-api-qps=200",
		"--kube-api-burst=400",
		"--profiling=false",
	}
}

const egressConfig = `apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- name: cluster
  connection:
    proxyProtocol: HTTPConnect
    transport:
      uds:
        udsName: ` + EgressSocket + "\n"
