package podspec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// file is one file of a volume that is made from API objects.
type file struct {
	data []byte
	mode fs.FileMode
}

// Volumes is what a volume's content is made from.
type Volumes struct {
	Pod     *corev1.Pod
	Find    Lookup
	Tokens  *Tokens
	Machine corev1.ResourceList
	Claims  ClaimsAPI
}

// Kinds of objects that variables and volumes come from.
const (
	KindSecret    = "secret"
	KindConfigMap = "configmap"
)

// Reference names a Secret or ConfigMap.
type Reference struct{ Kind, Namespace, Name string }

const defaultVolumeMode = 0o600

// fileMode limits a volume's mode to its owner: on the host, unlike in a
// container, there are other users.
func fileMode(modes ...*int32) fs.FileMode {
	for _, mode := range modes {
		if mode != nil {
			return fs.FileMode(*mode)&0o700 | 0o400
		}
	}
	return defaultVolumeMode
}

// Prepare brings a volume up to date below dir (the pod's volumes) or
// hostDir (host paths) and returns the host path to mount.
func (s Volumes) Prepare(ctx context.Context, v *corev1.Volume, dir, hostDir string) (string, error) {
	target := filepath.Join(dir, v.Name)
	switch {
	case v.EmptyDir != nil:
		return target, MakeDir(target)
	case v.HostPath != nil:
		target = filepath.Join(hostDir, filepath.Clean("/"+v.HostPath.Path))
		return target, prepareHostPath(target, v.HostPath.Type)
	case v.PersistentVolumeClaim != nil, v.Ephemeral != nil:
		return s.claimed(ctx, v, hostDir)
	}
	files, err := s.content(ctx, v)
	if err != nil {
		return "", fmt.Errorf("volume %q: %w", v.Name, err)
	}
	return target, syncFiles(target, files)
}

// MakeDir makes a folder and those above it, readable by their owner only.
func MakeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("creating a folder (is the disk full or read-only?): %w", err)
	}
	return nil
}

// prepareHostPath makes what a hostPath volume wants to find. The folder that
// stands for the host's root starts empty, so every type is made on demand.
func prepareHostPath(target string, kind *corev1.HostPathType) error {
	if kind == nil || (*kind != corev1.HostPathFile && *kind != corev1.HostPathFileOrCreate) {
		return MakeDir(target)
	}
	if err := MakeDir(filepath.Dir(target)); err != nil {
		return err
	}
	file, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("creating the host path's file: %w", err)
	}
	return file.Close()
}

// content returns the files of a volume by their path in it.
func (s Volumes) content(ctx context.Context, v *corev1.Volume) (map[string]file, error) {
	files := map[string]file{}
	switch {
	case v.Secret != nil:
		return files, s.addKeys(files, KindSecret, v.Secret.SecretName, v.Secret.Items, v.Secret.Optional, v.Secret.DefaultMode)
	case v.ConfigMap != nil:
		return files, s.addKeys(files, KindConfigMap, v.ConfigMap.Name, v.ConfigMap.Items, v.ConfigMap.Optional, v.ConfigMap.DefaultMode)
	case v.DownwardAPI != nil:
		return files, s.addFields(files, v.DownwardAPI.Items, v.DownwardAPI.DefaultMode)
	case v.Projected != nil:
		for _, source := range v.Projected.Sources {
			if err := s.addProjection(ctx, files, source, v.Projected.DefaultMode); err != nil {
				return nil, err
			}
		}
		return files, nil
	}
	return nil, errors.New("the virtual node does not support this kind of volume: use persistentVolumeClaim, emptyDir, hostPath, configMap, secret, downwardAPI, or projected")
}

func (s Volumes) addProjection(ctx context.Context, files map[string]file, source corev1.VolumeProjection, mode *int32) error {
	switch {
	case source.Secret != nil:
		return s.addKeys(files, KindSecret, source.Secret.Name, source.Secret.Items, source.Secret.Optional, mode)
	case source.ConfigMap != nil:
		return s.addKeys(files, KindConfigMap, source.ConfigMap.Name, source.ConfigMap.Items, source.ConfigMap.Optional, mode)
	case source.DownwardAPI != nil:
		return s.addFields(files, source.DownwardAPI.Items, mode)
	case source.ServiceAccountToken != nil:
		token, err := s.Tokens.get(ctx, tokenRequest(source.ServiceAccountToken))
		if err != nil {
			return err
		}
		files[source.ServiceAccountToken.Path] = file{data: []byte(token), mode: 0o600}
		return nil
	}
	return errors.New("the virtual node does not support this kind of projected source")
}

func (s Volumes) addKeys(files map[string]file, kind, name string, items []corev1.KeyToPath, optional *bool, mode *int32) error {
	data, found := s.Find(kind, name)
	if !found && !isTrue(optional) {
		return &missingError{what: fmt.Sprintf("%s %q", kind, name)}
	}
	if len(items) == 0 {
		for key, value := range data {
			files[key] = file{data: value, mode: fileMode(mode)}
		}
		return nil
	}
	for _, item := range items {
		value, ok := data[item.Key]
		if ok {
			files[item.Path] = file{data: value, mode: fileMode(item.Mode, mode)}
		} else if !isTrue(optional) {
			return &missingError{what: fmt.Sprintf("key %q of %s %q", item.Key, kind, name)}
		}
	}
	return nil
}

func (s Volumes) addFields(files map[string]file, items []corev1.DownwardAPIVolumeFile, mode *int32) error {
	for _, item := range items {
		var value string
		var err error
		switch {
		case item.FieldRef != nil:
			value, err = fieldValue(s.Pod, item.FieldRef.FieldPath)
		case item.ResourceFieldRef != nil:
			value, err = resourceValue(s.Pod, nil, item.ResourceFieldRef, s.Machine)
		}
		if err != nil {
			return err
		}
		files[item.Path] = file{data: []byte(value), mode: fileMode(item.Mode, mode)}
	}
	return nil
}

// syncFiles makes a folder hold exactly these files. A file that differs is
// replaced by a rename, so that a reader sees the old or the new one, whole.
func syncFiles(dir string, files map[string]file) error {
	if err := MakeDir(dir); err != nil {
		return err
	}
	for name, f := range files {
		if !filepath.IsLocal(name) {
			return fmt.Errorf("the volume's path %q leaves the volume", name)
		}
		target := filepath.Join(dir, name)
		if old, err := os.ReadFile(target); err == nil && bytes.Equal(old, f.data) {
			continue
		}
		if err := MakeDir(filepath.Dir(target)); err != nil {
			return err
		}
		if err := writeFile(target, f.data, f.mode); err != nil {
			return err
		}
	}
	return filepath.WalkDir(dir, func(p string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		if _, wanted := files[filepath.ToSlash(name)]; !wanted {
			return os.Remove(p)
		}
		return nil
	})
}

func writeFile(target string, data []byte, mode fs.FileMode) error {
	temporary, err := os.CreateTemp(filepath.Dir(target), ".new-*")
	if err != nil {
		return fmt.Errorf("writing a volume's file (is the disk full or read-only?): %w", err)
	}
	_, err = temporary.Write(data)
	if err == nil {
		err = temporary.Chmod(mode)
	}
	if closeErr := temporary.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(temporary.Name(), target)
	}
	if err != nil {
		_ = os.Remove(temporary.Name())
		return fmt.Errorf("writing a volume's file (is the disk full or read-only?): %w", err)
	}
	return nil
}

// MountsOf returns where a container's volumes are on the host.
// hostPaths maps volume names to host paths.
func MountsOf(c *corev1.Container, hostPaths map[string]string, env map[string]string) ([]Mount, error) {
	var list []Mount
	for _, m := range c.VolumeMounts {
		host, ok := hostPaths[m.Name]
		if !ok {
			continue
		}
		sub := m.SubPath
		if m.SubPathExpr != "" {
			sub = expand(m.SubPathExpr, env)
		}
		if sub = strings.Trim(sub, "/"); sub != "" {
			if !filepath.IsLocal(sub) {
				return nil, fmt.Errorf("the subPath %q leaves the volume %q", sub, m.Name)
			}
			host = filepath.Join(host, sub)
			if _, err := os.Stat(host); errors.Is(err, fs.ErrNotExist) {
				if err := MakeDir(host); err != nil {
					return nil, err
				}
			}
		}
		list = append(list, Mount{Path: m.MountPath, Host: host})
	}
	return list, nil
}

// References returns the Secrets and ConfigMaps that these containers of a
// pod need, by their variables and mounted volumes.
func References(pod *corev1.Pod, containers []*corev1.Container) []Reference {
	seen := map[Reference]bool{}
	var list []Reference
	add := func(kind, name string) {
		ref := Reference{Kind: kind, Namespace: pod.Namespace, Name: name}
		if name != "" && !seen[ref] && (kind != KindConfigMap || name != RootCA) {
			seen[ref] = true
			list = append(list, ref)
		}
	}
	for _, c := range containers {
		for _, from := range c.EnvFrom {
			if from.ConfigMapRef != nil {
				add(KindConfigMap, from.ConfigMapRef.Name)
			}
			if from.SecretRef != nil {
				add(KindSecret, from.SecretRef.Name)
			}
		}
		for _, v := range c.Env {
			if v.ValueFrom != nil && v.ValueFrom.ConfigMapKeyRef != nil {
				add(KindConfigMap, v.ValueFrom.ConfigMapKeyRef.Name)
			}
			if v.ValueFrom != nil && v.ValueFrom.SecretKeyRef != nil {
				add(KindSecret, v.ValueFrom.SecretKeyRef.Name)
			}
		}
	}
	for _, v := range Mounted(pod, containers) {
		switch {
		case v.Secret != nil:
			add(KindSecret, v.Secret.SecretName)
		case v.ConfigMap != nil:
			add(KindConfigMap, v.ConfigMap.Name)
		case v.Projected != nil:
			for _, source := range v.Projected.Sources {
				if source.Secret != nil {
					add(KindSecret, source.Secret.Name)
				}
				if source.ConfigMap != nil {
					add(KindConfigMap, source.ConfigMap.Name)
				}
			}
		}
	}
	return list
}

// Mounted returns the pod's volumes that these containers mount.
func Mounted(pod *corev1.Pod, containers []*corev1.Container) []*corev1.Volume {
	mounted := map[string]bool{}
	for _, c := range containers {
		for _, m := range c.VolumeMounts {
			mounted[m.Name] = true
		}
	}
	var list []*corev1.Volume
	for i := range pod.Spec.Volumes {
		if mounted[pod.Spec.Volumes[i].Name] {
			list = append(list, &pod.Spec.Volumes[i])
		}
	}
	return list
}
