package kind

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"gopkg.in/yaml.v3"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"

	"github.com/fluxdemo/fluxdemo/clusters"
)

// The NodePorts of the cluster. Each of them is mapped to a port of this
// machine when the nodes are made, since that cannot be done later, and the
// API server hands out no others.
const (
	firstNodePort = 30000
	nodePorts     = 16
)

// ownerMount is where nodes have the cluster's folder: by that a cluster is
// known as one of this program, and of this folder.
const ownerMount = "/etc/fluxdemo"

// readConfig reads a kind configuration. Errors are a *clusters.UsageError.
func readConfig(file string) (*v1alpha4.Cluster, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, &clusters.UsageError{Err: fmt.Errorf("%s: %w", file, errors.Unwrap(err))}
	}
	config, err := parseConfig(raw)
	if err != nil {
		return nil, &clusters.UsageError{Err: fmt.Errorf("%s: %w", file, err)}
	}
	return config, nil
}

// parseConfig parses a kind configuration as strictly as kind does.
func parseConfig(raw []byte) (*v1alpha4.Cluster, error) {
	config := &v1alpha4.Cluster{}
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	decoder.KnownFields(true)
	if err := decoder.Decode(config); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err := decoder.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, errors.New("a kind configuration must be a single YAML document")
	}
	const version = "kind.x-k8s.io/v1alpha4"
	if config.Kind != "Cluster" || config.APIVersion != version {
		return nil, fmt.Errorf("a kind configuration must have `kind: Cluster` and `apiVersion: %s`", version)
	}
	if len(config.Nodes) > 0 && controlPlane(config) == nil {
		return nil, errors.New("none of its nodes has `role: control-plane`")
	}
	return config, nil
}

// controlPlane returns the first control plane node of a configuration.
func controlPlane(config *v1alpha4.Cluster) *v1alpha4.Node {
	i := slices.IndexFunc(config.Nodes, func(n v1alpha4.Node) bool {
		return n.Role == v1alpha4.ControlPlaneRole || n.Role == ""
	})
	if i < 0 {
		return nil
	}
	return &config.Nodes[i]
}

// complete adds to a configuration what a demo needs: NodePorts that answer
// on this machine, a mark of whose the cluster is, and the API server's port
// unless it is 0. What stands in the configuration stays.
func complete(config *v1alpha4.Cluster, owner string, port int) {
	config.TypeMeta = v1alpha4.TypeMeta{Kind: "Cluster", APIVersion: "kind.x-k8s.io/v1alpha4"}
	if len(config.Nodes) == 0 {
		config.Nodes = []v1alpha4.Node{{Role: v1alpha4.ControlPlaneRole}}
	}
	if port != 0 {
		config.Networking.APIServerPort = int32(port)
	}
	for i := range config.Nodes {
		config.Nodes[i].ExtraMounts = append(config.Nodes[i].ExtraMounts,
			v1alpha4.Mount{HostPath: owner, ContainerPath: ownerMount, Readonly: true})
	}
	// kube-proxy answers on every node, so one node's ports are enough. kind
	// chooses a free port for each, and keeps it when the node starts again.
	first := controlPlane(config)
	for port := int32(firstNodePort); port < firstNodePort+nodePorts; port++ {
		if slices.ContainsFunc(first.ExtraPortMappings, func(m v1alpha4.PortMapping) bool { return m.ContainerPort == port }) {
			continue
		}
		first.ExtraPortMappings = append(first.ExtraPortMappings, v1alpha4.PortMapping{
			ContainerPort: port, ListenAddress: "127.0.0.1", Protocol: v1alpha4.PortMappingProtocolTCP,
		})
	}
	// One for each version of kubeadm's configuration; kind uses the one
	// that fits.
	const flag, span = "service-node-port-range", "%d-%d"
	ports := fmt.Sprintf(span, firstNodePort, firstNodePort+nodePorts-1)
	for version, patch := range map[string]string{
		"v1beta4": fmt.Sprintf("- op: add\n  path: /apiServer/extraArgs/-\n  value: {name: %s, value: %q}\n", flag, ports),
		"v1beta3": fmt.Sprintf("- op: add\n  path: /apiServer/extraArgs/%s\n  value: %q\n", flag, ports),
	} {
		config.KubeadmConfigPatchesJSON6902 = append(config.KubeadmConfigPatchesJSON6902, v1alpha4.PatchJSON6902{
			Group: "kubeadm.k8s.io", Version: version, Kind: "ClusterConfiguration", Patch: patch,
		})
	}
}

// ownerDir is the folder that marks nodes as those of the cluster in dir.
func ownerDir(dir string) string { return filepath.Join(dir, ownerFolder) }

const ownerFolder = "kind-node"
