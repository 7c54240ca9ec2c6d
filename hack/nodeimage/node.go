package main

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// ourFiles are the files of a node that are our own.
//
//go:embed files
var ourFiles embed.FS

// ourPlaces tells where they go.
func ourPlaces() map[string]string {
	return map[string]string{
		"cni.conflist.template": "kind",
		"service-range.nft":     "kind",
		"default-cni.yaml":      "kind/manifests",
		"default-storage.yaml":  "kind/manifests",
		"service-range.service": "etc/systemd/system",
	}
}

// nodeFiles writes what lies over Debian in a node: kind's files, our
// programs, and the settings that make them fit.
func (b *build) nodeFiles(ctx context.Context, w *layerWriter, pause string) error {
	base := filepath.Join(b.kind, "images", "base", "files")
	if err := kindFiles(w, base, pause); err != nil {
		return fmt.Errorf("taking over kind's files: %w", err)
	}
	for _, name := range []string{"containerd", "containerd-shim-runc-v2", "ctr", "crictl"} {
		if err := w.copy("usr/local/bin/"+name, 0o755, b.program(name)); err != nil {
			return err
		}
	}
	for name, source := range map[string]string{"kube": filepath.Join(b.bundle, "kube"), "node": b.program("node")} {
		if err := w.copy("usr/local/libexec/"+name, 0o755, source); err != nil {
			return err
		}
	}
	for name, target := range map[string]string{"kubectl": "kube", "kubelet": "node", "kubeadm": "node"} {
		if err := w.link("usr/bin/"+name, "../local/libexec/"+target); err != nil {
			return err
		}
	}
	spec, err := runtimeSpec(ctx, b.program("ctr"))
	if err != nil {
		return err
	}
	files := map[string]string{"etc/containerd/cri-base.json": spec, "kind/version": b.version}
	for name, dir := range ourPlaces() {
		raw, err := ourFiles.ReadFile("files/" + name)
		if err != nil {
			return err
		}
		files[path.Join(dir, name)] = string(raw)
		if path.Ext(name) == ".service" {
			if err := enable(w, name, string(raw)); err != nil {
				return err
			}
		}
	}
	for name, content := range files {
		if err := w.file(name, 0o644, int64(len(content)), strings.NewReader(content)); err != nil {
			return err
		}
	}
	return w.dir("etc/kubernetes/manifests", 0o755)
}

// kindFiles writes the files of kind's base image, which stand in the folder
// base of its module, and enables its units.
func kindFiles(w *layerWriter, base, pause string) error {
	edits := map[string]func(string) (string, error){
		"etc/default/kubelet":        kubeletDefaults,
		"etc/containerd/config.toml": func(text string) (string, error) { return containerdConfig(text, pause) },
	}
	return filepath.WalkDir(base, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(base, file)
		if err != nil {
			return err
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if edit, ok := edits[name]; ok {
			text, err := edit(string(raw))
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			raw = []byte(text)
			delete(edits, name)
		}
		mode := int64(0o644)
		if strings.HasPrefix(name, "usr/local/bin/") || strings.HasPrefix(name, "kind/bin/") {
			mode = 0o755
		}
		if err := w.file(name, mode, int64(len(raw)), bytes.NewReader(raw)); err != nil {
			return err
		}
		switch unit := path.Base(name); unit {
		case "containerd.service", "kubelet.service", "undo-mount-hacks.service":
			return enable(w, unit, string(raw))
		}
		return nil
	})
}

// enable does what `systemctl enable` does.
func enable(w *layerWriter, unit, text string) error {
	for line := range strings.Lines(text) {
		if target, ok := strings.CutPrefix(strings.TrimSpace(line), "WantedBy="); ok {
			return w.link("etc/systemd/system/"+target+".wants/"+unit, "../"+unit)
		}
	}
	return fmt.Errorf("no unit wants %s", unit)
}

// kubeletDefaults tells kubelet that cgroup v1 is meant where a machine has
// it: from version 1.35 on it does not start there otherwise.
func kubeletDefaults(text string) (string, error) {
	arguments := strings.TrimSpace(text)
	if !strings.HasPrefix(arguments, "KUBELET_EXTRA_ARGS=") || strings.Contains(arguments, "\n") {
		return "", errors.New("this is not the one line that it was")
	}
	return arguments + " --fail-cgroupv1=false\n", nil
}

// containerdConfig fits kind's settings of containerd: no process may lower
// its OOM score where the machine does not grant that, the pause image is
// the one that is there, and each node writes its own CNI configuration, of
// plugins that Debian has.
func containerdConfig(text, pause string) (string, error) {
	for _, edit := range []struct{ from, to string }{
		{`restrict_oom_score_adj = false`, `restrict_oom_score_adj = true`},
		{`sandbox_image = "[^"]*"`, `sandbox_image = "` + pause + `"`},
	} {
		from := regexp.MustCompile(edit.from)
		if len(from.FindAllString(text, -1)) != 1 {
			return "", fmt.Errorf("%q does not occur exactly once", edit.from)
		}
		text = from.ReplaceAllLiteralString(text, edit.to)
	}
	return text + `
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_template = "/kind/cni.conflist.template"
`, nil
}

// runtimeSpec returns what containers start from: containerd's defaults with
// kind's hook, and without limits that only a privileged process may raise.
func runtimeSpec(ctx context.Context, ctr string) (string, error) {
	raw, err := exec.CommandContext(ctx, ctr, "oci", "spec").Output()
	if err != nil {
		return "", fmt.Errorf("asking containerd for its defaults: %w", err)
	}
	var spec map[string]any
	if err := json.Unmarshal(raw, &spec); err != nil {
		return "", fmt.Errorf("reading containerd's defaults: %w", err)
	}
	process, ok := spec["process"].(map[string]any)
	if !ok {
		return "", errors.New("containerd's defaults have no process")
	}
	delete(process, "rlimits")
	spec["hooks"] = map[string]any{"createContainer": []any{map[string]any{"path": "/kind/bin/mount-product-files.sh"}}}
	raw, err = json.MarshalIndent(spec, "", "  ")
	return string(raw), err
}
