package kind

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"

	"github.com/fluxdemo/fluxdemo/clusters"
)

const header = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n"

func TestComplete(t *testing.T) {
	for name, raw := range map[string]string{
		"nothing of the user's": header,
		"two nodes":             header + "nodes: [{role: worker}, {role: control-plane, image: theirs}]\n",
		"a port of the user's":  header + "nodes:\n- extraPortMappings: [{containerPort: 30003, hostPort: 8080}]\n",
		"a patch of the user's": header + "kubeadmConfigPatches: ['kind: ClusterConfiguration']\n",
	} {
		t.Run(name, func(t *testing.T) {
			config, err := parseConfig([]byte(raw))
			if err != nil {
				t.Fatal(err)
			}
			complete(config, "/state/c/node", 6443)
			if config.Networking.APIServerPort != 6443 {
				t.Errorf("the API server's port is %d", config.Networking.APIServerPort)
			}
			ports := map[int32]int{}
			for _, n := range config.Nodes {
				if len(n.ExtraMounts) != 1 || n.ExtraMounts[0] != (v1alpha4.Mount{HostPath: "/state/c/node", ContainerPath: ownerMount, Readonly: true}) {
					t.Errorf("the mark of a node: %+v", n.ExtraMounts)
				}
				if n.Role == v1alpha4.WorkerRole && len(n.ExtraPortMappings) > 0 {
					t.Errorf("ports at a worker: %+v", n.ExtraPortMappings)
				}
				for _, m := range n.ExtraPortMappings {
					ports[m.ContainerPort]++
					theirs := m.ContainerPort == 30003 && m.HostPort == 8080
					if !theirs && (m.HostPort != 0 || m.ListenAddress != "127.0.0.1") {
						t.Errorf("a mapping: %+v", m)
					}
				}
			}
			if len(ports) != nodePorts || ports[30003] != 1 {
				t.Errorf("the ports: %v", ports)
			}
			if n := len(config.KubeadmConfigPatchesJSON6902); n != 2 {
				t.Errorf("%d patches, want one for each version", n)
			}
			if theirs := strings.Contains(raw, "kubeadmConfigPatches"); theirs != (len(config.KubeadmConfigPatches) == 1) {
				t.Errorf("the user's patches: %v", config.KubeadmConfigPatches)
			}
		})
	}
}

func TestReadConfigRefuses(t *testing.T) {
	for want, raw := range map[string]string{
		"line 3: field nope not found": header + "nope: 1\n",
		"line 4: cannot unmarshal":     header + "nodes:\n  role: worker\n",
		"`kind: Cluster`":              "kind: Pod\n",
		"role: control-plane":          header + "nodes: [{role: worker}]\n",
		"a single YAML document":       header + "---\n" + header,
	} {
		file := filepath.Join(t.TempDir(), "kind.yaml")
		if err := os.WriteFile(file, []byte(raw), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readConfig(file)
		var mistake *clusters.UsageError
		if !errors.As(err, &mistake) || !strings.HasPrefix(err.Error(), file+": ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want one with %q", err, want)
		}
	}
	var mistake *clusters.UsageError
	if _, err := readConfig(filepath.Join(t.TempDir(), "nowhere.yaml")); !errors.As(err, &mistake) || strings.Count(err.Error(), "nowhere.yaml") != 1 {
		t.Errorf("a file that is not there: %v", err)
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(header))
	f.Add([]byte(header + "nodes: [{role: control-plane, extraPortMappings: [{containerPort: 80}]}]\n"))
	f.Add([]byte("- 1"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		config, err := parseConfig(raw)
		if err != nil {
			return
		}
		complete(config, "/node", 0)
		if first := controlPlane(config); first == nil || len(first.ExtraPortMappings) < nodePorts {
			t.Errorf("%s makes %+v", raw, config)
		}
	})
}
