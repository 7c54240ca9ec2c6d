// Command nodeimage builds the image of a kind node without a
// registry: Debian's root file system by mmdebstrap, Kubernetes as
// hack/bundle builds it, containerd, CoreDNS and crictl from their modules,
// and kind's own files from kind's module. The outcome is an archive that
// `docker load` reads; nothing is built when nothing changed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fluxdemo/fluxdemo/hack/bundle/gobuild"
)

// imageName is what the image is called, without its tag: Kubernetes' version.
const imageName = "fluxdemo/node"

// inputsLabel is the label of the image that tells what it was made from.
const inputsLabel = "io.github.fluxdemo.inputs"

func main() {
	out := flag.String("o", filepath.Join("..", "..", "build", "nodeimage"), "folder to work in; the image will be image.tar in it")
	bundle := flag.String("bundle", filepath.Join("..", "..", "build", "bundle"), "folder of the bundle")
	load := flag.Bool("load", false, "load the image into the container engine that docker talks to")
	force := flag.Bool("force", false, "put the image together even if nothing changed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	name, err := run(ctx, *out, *bundle, *load, *force)
	if err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted; finished parts are kept, so run the same command to resume")
		}
		fmt.Fprintf(os.Stderr, "%s: %v\n", programName, err)
		os.Exit(1)
	}
	fmt.Println(name)
}

// build is an image being made.
type build struct {
	out     string // folder to work in
	bundle  string // folder of the bundle
	kind    string // folder of kind's module
	version string // of Kubernetes, v1.2.3
	inputs  string // checksum of all that the image is made from
}

func (b *build) program(name string) string { return filepath.Join(b.out, "bin", name) }
func (b *build) archive() string            { return filepath.Join(b.out, "image.tar") }
func (b *build) stamp() string              { return filepath.Join(b.out, "image.inputs") }
func (b *build) name() string               { return imageName + ":" + b.version }

// run makes the image unless it is there already, and returns its name.
func run(ctx context.Context, out, bundle string, load, force bool) (string, error) {
	b, err := prepare(ctx, out, bundle)
	if err != nil {
		return "", err
	}
	if stamp, err := os.ReadFile(b.stamp()); err == nil && string(stamp) == b.inputs && !force {
		fmt.Fprintf(os.Stderr, "%s: up to date in %s\n", programName, b.archive())
	} else {
		start := time.Now()
		if err := b.make(ctx); err != nil {
			return "", err
		}
		fmt.Fprintf(os.Stderr, "%s: made in %s: %s\n", programName, time.Since(start).Round(time.Second), b.archive())
	}
	if load {
		return b.name(), b.load(ctx)
	}
	return b.name(), nil
}

// prepare finds out what the image is made from.
func prepare(ctx context.Context, out, bundle string) (*build, error) {
	b := &build{}
	var err error
	if b.out, err = filepath.Abs(out); err != nil {
		return nil, err
	}
	if b.bundle, err = filepath.Abs(bundle); err != nil {
		return nil, err
	}
	contents := filepath.Join(b.bundle, "bundle.json")
	if b.version, err = kubernetesVersion(contents); err != nil {
		return nil, err
	}
	b.inputs, err = gobuild.Checksum("*.go", "*/*.go", "files/*", "go.mod", "go.sum", contents,
		filepath.Join(bundleDir, "node", "*.go"), filepath.Join(bundleDir, "gobuild", "*.go"))
	if err != nil {
		return nil, fmt.Errorf("reading what the image is made from: %w", err)
	}
	return b, nil
}

// make makes the image. What it is put together from is kept, and only made
// anew if it has changed.
func (b *build) make(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Join(b.out, "bin"), 0o755); err != nil {
		return err
	}
	if err := compile(ctx, filepath.Join(b.out, "bin")); err != nil {
		return err
	}
	kindModule, err := findModule(ctx, "", kind)
	if err != nil {
		return err
	}
	b.kind = kindModule.Dir
	debian, err := b.debian(ctx)
	if err != nil {
		return err
	}
	work := filepath.Join(b.out, "work")
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := os.Mkdir(work, 0o755); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s: putting the image together\n", programName)
	node, err := b.assemble(ctx, debian, work)
	if err != nil {
		return err
	}
	part := filepath.Join(work, "image.tar")
	if err := node.archive(part, b.name()); err != nil {
		return fmt.Errorf("writing the archive: %w", err)
	}
	// The stamp says that the archive is whole, so it goes first and comes last.
	if err := os.RemoveAll(b.stamp()); err != nil {
		return err
	}
	if err := os.Rename(part, b.archive()); err != nil {
		return err
	}
	return os.WriteFile(b.stamp(), []byte(b.inputs), 0o644)
}

// debian returns the path of Debian's root file system, which it makes if
// need be.
func (b *build) debian(ctx context.Context) (string, error) {
	file := filepath.Join(b.out, suite+".tar")
	stamp := filepath.Join(b.out, suite+".inputs")
	if made, err := os.ReadFile(stamp); err == nil && string(made) == debianSum() {
		return file, nil
	}
	fmt.Fprintf(os.Stderr, "%s: making Debian's root file system (about a minute)\n", programName)
	if err := debootstrap(ctx, file); err != nil {
		return "", err
	}
	return file, os.WriteFile(stamp, []byte(debianSum()), 0o644)
}

// assemble puts the image together: Debian, our files over it, and the
// images of the cluster's own pods in the store of the node's containerd.
func (b *build) assemble(ctx context.Context, debian, work string) (image, error) {
	root, err := openRootfs(debian)
	if err != nil {
		return image{}, err
	}
	defer root.Close()
	images, err := b.clusterImages(ctx, root, work)
	if err != nil {
		return image{}, fmt.Errorf("making the cluster's images: %w", err)
	}
	stored, err := b.storeLayer(ctx, images, work)
	if err != nil {
		return image{}, fmt.Errorf("giving the cluster's images to containerd: %w", err)
	}
	pause := ""
	for name := range images {
		if repository(name) == "pause" {
			pause = name
		}
	}
	files, err := writeLayer(filepath.Join(work, "node.tar"), func(w *layerWriter) error { return b.nodeFiles(ctx, w, pause) })
	if err != nil {
		return image{}, fmt.Errorf("writing the node's files: %w", err)
	}
	below, err := readLayer(debian)
	if err != nil {
		return image{}, err
	}
	return image{
		layers: []layer{below, files, stored},
		config: ocispec.ImageConfig{
			Env:        []string{"container=docker", searchPath},
			Entrypoint: []string{"/usr/local/bin/entrypoint", "/sbin/init"},
			StopSignal: "SIGRTMIN+3", // on SIGTERM, systemd starts itself anew
			Labels:     map[string]string{inputsLabel: b.inputs},
		},
	}, nil
}

// storeLayer makes a layer of a containerd store with images in it.
func (b *build) storeLayer(ctx context.Context, images map[string]image, work string) (layer, error) {
	dir := filepath.Join(work, "containerd")
	s, err := newStore(ctx, dir)
	if err != nil {
		return layer{}, err
	}
	for name, i := range images {
		if err := s.add(ctx, i, name); err != nil {
			return layer{}, errors.Join(err, s.Close())
		}
	}
	if err := s.Close(); err != nil {
		return layer{}, err
	}
	return writeLayer(filepath.Join(work, "containerd.tar"), func(w *layerWriter) error {
		return w.tree("var/lib/containerd", dir)
	})
}

// load loads the image into the engine that the docker command talks to,
// unless it is there.
func (b *build) load(ctx context.Context) error {
	there, err := exec.CommandContext(ctx, "docker", "image", "inspect", "--format",
		`{{index .Config.Labels "`+inputsLabel+`"}}`, b.name()).Output()
	if err == nil && strings.TrimSpace(string(there)) == b.inputs {
		return nil
	}
	fmt.Fprintf(os.Stderr, "%s: loading the image into the engine\n", programName)
	cmd := exec.CommandContext(ctx, "docker", "load", "--quiet", "--input", b.archive())
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("docker load: %w", err)
	}
	return nil
}
