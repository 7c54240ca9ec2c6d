package supervisor

import (
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/controlplane"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/fence"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/network"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/images"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/storage"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/pki"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/process"
)

// Names of files in the cluster's folder.
const (
	LogDir     = "logs"
	NodeDir    = "node"
	PKIDir     = "pki"
	Kubeconfig = "kubeconfig"
)

// EnsureKubeconfig writes the kubeconfig of the cluster in dir, which runs
// with these settings, unless it is as it should be.
func EnsureKubeconfig(dir string, s Settings) error {
	path := filepath.Join(dir, Kubeconfig)
	keys, err := pki.Open(filepath.Join(dir, PKIDir))
	if err != nil {
		// The next start makes them anew; new ones are of no use to what runs.
		if _, unreadable := clientcmd.BuildConfigFromFlags("", path); unreadable == nil {
			return nil
		}
		return fmt.Errorf("%s is damaged, and so are the certificates for it; `fluxdemo down --keep-data` and `fluxdemo up` renew them: %w", path, err)
	}
	config := controlplane.Config{Dir: dir, PKI: keys, Port: s.Port, NodePorts: s.NodePorts}
	return config.WriteKubeconfig(path, pki.Admin)
}

// prepare makes everything that has to be there before the first process:
// ports, certificates, configuration, the network and the node.
func (s *Supervisor) prepare() error {
	o := &s.options
	if _, err := os.Stat(filepath.Join(o.Dir, SettingsFile)); err == nil {
		s.restarted = true
	}
	before := o.Port
	if err := o.findPorts(); err != nil {
		return err
	}
	s.reservePort(before)
	keys, err := pki.Ensure(filepath.Join(o.Dir, PKIDir))
	if err != nil {
		return err
	}
	config := controlplane.Config{Dir: o.Dir, PKI: keys, Port: o.Port, SharedPort: s.sharedPort, NodePorts: o.NodePorts}
	config.ManagerPort = o.spare()
	config.SchedulerPort = o.spare(config.ManagerPort)
	components, err := controlplane.Components(config)
	if err != nil {
		return err
	}
	logDir := filepath.Join(o.Dir, LogDir)
	if err := os.MkdirAll(logDir, 0o700); err != nil {
		return err
	}
	for _, c := range components {
		u := newUnit(c.Name, process.Spec{
			Path: o.Bundle.Path("kube"),
			Name: c.Name,
			Args: c.Args,
			Env:  append([]string{"HOME=" + o.Dir, "TMPDIR=" + os.TempDir()}, c.Env...),
			Dir:  filepath.Join(o.Dir, controlplane.RunDir),
			// Before this process, which starts it again.
			Expendable: 200,
		}, logDir, o.Logf)
		switch c.Name {
		case controlplane.Etcd:
			s.etcd = u
		case controlplane.APIServer:
			s.api, u.port = u, o.Port
		case controlplane.ControllerManager:
			s.clients, u.port = append(s.clients, u), config.ManagerPort
		default:
			s.clients, u.port = append(s.clients, u), config.SchedulerPort
		}
	}
	if err := config.WriteKubeconfig(filepath.Join(o.Dir, Kubeconfig), pki.Admin); err != nil {
		return err
	}
	rest, err := clientcmd.BuildConfigFromFlags("", filepath.Join(o.Dir, Kubeconfig))
	if err != nil {
		return fmt.Errorf("reading the cluster's kubeconfig: %w", err)
	}
	if err := s.liveness.trust(keys.CAFile()); err != nil {
		return err
	}
	rest.QPS, rest.Burst = 500, 1000 // one node's pods and services; the default of 5 is for many clients
	// Protobuf costs the API server and us half of what JSON does.
	rest.ContentType = "application/vnd.kubernetes.protobuf"
	if s.client, err = kubernetes.NewForConfig(rest); err != nil {
		return err
	}
	if err := s.prepareNetwork(); err != nil {
		return err
	}
	if err := s.prepareNode(keys, config.Server()); err != nil {
		return err
	}
	if s.storage, err = storage.New(storage.Config{Client: s.client, Dir: s.node.HostDir(), Logf: o.Logf}); err != nil {
		return err
	}
	return o.save(o.Dir)
}

func (s *Supervisor) prepareNetwork() (err error) {
	s.network, err = network.New(network.Config{
		Client:       s.client,
		Locate:       func(ip string, port int32) (string, bool) { return s.node.Locate(ip, port) },
		AllowEgress:  s.options.AllowEgress,
		NodeAddr:     func() string { return s.node.Addr() },
		ProxyAddr:    fmt.Sprintf("127.0.0.1:%d", s.options.ProxyPort),
		EgressSocket: controlplane.EgressSocket,
		Reserved:     func(port int32) bool { return inBlock(int(port)) },
		Logf:         s.options.Logf,
	})
	if err != nil {
		return fmt.Errorf("opening the cluster's network: %w", err)
	}
	return nil
}

func (s *Supervisor) prepareNode(keys pki.PKI, server string) (err error) {
	proxy := s.network.ProxyURL()
	s.node, err = node.New(node.Config{
		Name:         "fluxdemo",
		Client:       s.client,
		Dir:          filepath.Join(s.options.Dir, NodeDir),
		LogDir:       filepath.Join(s.options.Dir, LogDir, "pods"),
		Images:       s.images(),
		Cluster:      s.options.number(),
		Clusters:     blocks,
		Server:       server,
		CAFile:       keys.CAFile(),
		ServingCert:  keys.CertFile(pki.Node),
		ServingKey:   keys.KeyFile(pki.Node),
		ClientCAFile: keys.CAFile(),
		ClientName:   pki.KubeletClientName,
		ProxyCAFile:  keys.ProxyCAFile(),
		ProxyName:    pki.ProxyName,
		Fenced:       s.fenced(),
		Outward:      s.options.AllowEgress, // no proxy leads to a forge on this machine
		Reach:        []int{s.options.Port, s.options.ProxyPort},
		Env: []string{
			"HTTP_PROXY=" + proxy, "http_proxy=" + proxy,
			"HTTPS_PROXY=" + proxy, "https_proxy=" + proxy,
			"NO_PROXY=127.0.0.1,localhost", "no_proxy=127.0.0.1,localhost",
		},
		Logf: s.options.Logf,
	})
	if err != nil {
		return fmt.Errorf("preparing the virtual node: %w", err)
	}
	return nil
}

// images says how the node runs the known images.
func (s *Supervisor) images() []images.Image {
	var all []images.Image
	for _, p := range s.options.Programs {
		all = append(all, images.Image{Repository: p.Repository, Tags: p.Tags, Binary: p.Path, Append: p.Flags, PortFlags: p.PortFlags, Only: p.Only, Never: p.Never})
	}
	return all
}

// fenced reports whether pods are confined.
func (s *Supervisor) fenced() bool { return !s.options.NoFence && fence.Probe().Confines() }

// NoFence begins the text about a fence that there is not.
const NoFence = "none: "

// fence says how pods are confined, for people.
func (s *Supervisor) fence() string {
	kernel := fence.Probe()
	switch {
	case s.options.NoFence:
		return NoFence + "the cluster was started with --no-fence"
	case !kernel.Confines():
		return NoFence + kernel.String()
	}
	return kernel.String()
}
