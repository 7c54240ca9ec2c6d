package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// searchPath is where the programs of all images are.
const searchPath = "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// kubeNames are the names that the bundle's kube goes by in an image.
func kubeNames() []string {
	return []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}
}

// clusterImages makes the images of Kubernetes' own pods and returns them by
// the names under which kubeadm asks for them. Layers are written below dir.
func (b *build) clusterImages(ctx context.Context, root *rootfs, dir string) (map[string]image, error) {
	names, err := imageNames(ctx, b.program("node"), b.version)
	if err != nil {
		return nil, err
	}
	kube, err := writeLayer(filepath.Join(dir, "kube.tar"), func(w *layerWriter) error {
		for _, name := range kubeNames() {
			if err := w.link("usr/local/bin/"+name, "kube"); err != nil {
				return err
			}
		}
		if err := w.dir("tmp", 0o1777); err != nil {
			return err
		}
		return w.copy("usr/local/bin/kube", 0o755, filepath.Join(b.bundle, "kube"))
	})
	if err != nil {
		return nil, err
	}
	proxy, err := writeLayer(filepath.Join(dir, "kube-proxy.tar"), func(w *layerWriter) error {
		if err := w.copy("usr/local/bin/kube-proxy", 0o755, b.program("node")); err != nil {
			return err
		}
		return packetFilter(w, root)
	})
	if err != nil {
		return nil, err
	}
	made := map[string]image{"kube-proxy": {layers: []layer{proxy}, config: ocispec.ImageConfig{Env: []string{searchPath}}}}
	for _, name := range kubeNames() {
		made[name] = image{layers: []layer{kube}, config: ocispec.ImageConfig{Env: []string{searchPath}}}
	}
	for _, name := range []string{"coredns", "pause"} {
		single, err := writeLayer(filepath.Join(dir, name+".tar"), func(w *layerWriter) error {
			return w.copy(name, 0o755, b.program(name))
		})
		if err != nil {
			return nil, err
		}
		made[name] = image{layers: []layer{single}, config: ocispec.ImageConfig{Entrypoint: []string{"/" + name}}}
	}
	images := map[string]image{}
	for _, name := range names {
		i, ok := made[repository(name)]
		if !ok {
			return nil, fmt.Errorf("kubeadm asks for %s, which is not made here", name)
		}
		images[name] = i
	}
	return images, nil
}

// imageNames asks kubeadm for the images that a cluster of a version needs.
func imageNames(ctx context.Context, node, version string) ([]string, error) {
	cmd := exec.CommandContext(ctx, node, "config", "images", "list", "--kubernetes-version="+version)
	cmd.Args[0] = "kubeadm"
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	raw, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("asking kubeadm for its images: %w\n%s", err, stderr.Bytes())
	}
	return strings.Fields(string(raw)), nil
}

// packetFilter writes the programs with which kube-proxy writes its rules,
// with all that they load: without the extensions (xtables), iptables takes
// no rule of kube-proxy's, and nothing says so but its log.
func packetFilter(w *layerWriter, root *rootfs) error {
	const iptables = "usr/sbin/xtables-nft-multi"
	extensions, err := root.glob("usr/lib/*/xtables/*.so")
	if err != nil {
		return err
	}
	if len(extensions) == 0 {
		return fmt.Errorf("the root file system has no extensions of iptables")
	}
	names, err := root.withLibraries(append(extensions, iptables, "usr/sbin/nft"))
	if err != nil {
		return err
	}
	for _, name := range names {
		content, err := root.open(name)
		if err != nil {
			return err
		}
		if err := w.file(name, 0o755, content.Size(), content); err != nil {
			return err
		}
	}
	for _, family := range []string{"iptables", "ip6tables"} {
		for _, suffix := range []string{"", "-save", "-restore"} {
			if err := w.link("usr/sbin/"+family+suffix, path.Base(iptables)); err != nil {
				return err
			}
		}
	}
	return w.dir("run", 0o755) // for the lock
}
