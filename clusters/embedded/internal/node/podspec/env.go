// Package podspec prepares what a pod's spec requests from the node:
// variables, files of volumes, credentials, and paths of this machine instead
// of the container's. It starts nothing.
package podspec

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Lookup returns the data of a Secret or ConfigMap, and whether it exists.
type Lookup func(kind, name string) (data map[string][]byte, found bool)

// missingError says that something a container needs is not there (yet).
type missingError struct{ what string }

func (e *missingError) Error() string { return e.what + " not found" }

// IsMissing reports whether something that a container needs is not there (yet).
func IsMissing(err error) bool {
	var missing *missingError
	return errors.As(err, &missing)
}

// Environment is a container's variables in the order they were set. Later
// ones replace earlier ones of the same name.
type Environment struct {
	Names  []string
	Values map[string]string
}

// NewEnvironment returns an Environment without variables.
func NewEnvironment() *Environment {
	return &Environment{Values: map[string]string{}}
}

// Set sets a variable.
func (e *Environment) Set(name, value string) {
	if _, ok := e.Values[name]; !ok {
		e.Names = append(e.Names, name)
	}
	e.Values[name] = value
}

// List returns the variables as NAME=value.
func (e *Environment) List() []string {
	result := make([]string, 0, len(e.Names))
	for _, name := range e.Names {
		result = append(result, name+"="+e.Values[name])
	}
	return result
}

// Variables returns the variables that a container's spec asks for. A
// reference that is not optional and cannot be resolved is a *missingError.
func Variables(pod *corev1.Pod, c *corev1.Container, find Lookup, machine corev1.ResourceList) (*Environment, error) {
	env := NewEnvironment()
	for _, source := range c.EnvFrom {
		var kind, name string
		var optional *bool
		switch {
		case source.ConfigMapRef != nil:
			kind, name, optional = KindConfigMap, source.ConfigMapRef.Name, source.ConfigMapRef.Optional
		case source.SecretRef != nil:
			kind, name, optional = KindSecret, source.SecretRef.Name, source.SecretRef.Optional
		default:
			continue
		}
		data, found := find(kind, name)
		if !found && !isTrue(optional) {
			return nil, &missingError{what: fmt.Sprintf("%s %q", kind, name)}
		}
		keys := make([]string, 0, len(data))
		for key := range data {
			keys = append(keys, key)
		}
		sort.Strings(keys)
		for _, key := range keys {
			env.Set(source.Prefix+key, string(data[key]))
		}
	}
	for _, v := range c.Env {
		if v.ValueFrom == nil {
			env.Set(v.Name, expand(v.Value, env.Values))
			continue
		}
		value, found, err := valueFrom(pod, c, v.ValueFrom, find, machine)
		if err != nil {
			return nil, fmt.Errorf("variable %s: %w", v.Name, err)
		}
		if found {
			env.Set(v.Name, value)
		}
	}
	return env, nil
}

func valueFrom(pod *corev1.Pod, c *corev1.Container, from *corev1.EnvVarSource, find Lookup, machine corev1.ResourceList) (string, bool, error) {
	switch {
	case from.FieldRef != nil:
		value, err := fieldValue(pod, from.FieldRef.FieldPath)
		return value, err == nil, err
	case from.ResourceFieldRef != nil:
		value, err := resourceValue(pod, c, from.ResourceFieldRef, machine)
		return value, err == nil, err
	case from.ConfigMapKeyRef != nil:
		ref := from.ConfigMapKeyRef
		return keyValue(KindConfigMap, ref.Name, ref.Key, ref.Optional, find)
	case from.SecretKeyRef != nil:
		ref := from.SecretKeyRef
		return keyValue(KindSecret, ref.Name, ref.Key, ref.Optional, find)
	}
	return "", false, fmt.Errorf("the virtual node does not support this kind of valueFrom")
}

func keyValue(kind, name, key string, optional *bool, find Lookup) (string, bool, error) {
	data, found := find(kind, name)
	if value, ok := data[key]; ok {
		return string(value), true, nil
	}
	if isTrue(optional) {
		return "", false, nil
	}
	if !found {
		return "", false, &missingError{what: fmt.Sprintf("%s %q", kind, name)}
	}
	return "", false, &missingError{what: fmt.Sprintf("key %q of %s %q", key, kind, name)}
}

// fieldValue resolves a downward API field path.
func fieldValue(pod *corev1.Pod, field string) (string, error) {
	if name, key, ok := subscript(field); ok {
		switch name {
		case "metadata.labels":
			return pod.Labels[key], nil
		case "metadata.annotations":
			return pod.Annotations[key], nil
		}
	}
	switch field {
	case "metadata.name":
		return pod.Name, nil
	case "metadata.namespace":
		return pod.Namespace, nil
	case "metadata.uid":
		return string(pod.UID), nil
	case "metadata.labels":
		return formatMap(pod.Labels), nil
	case "metadata.annotations":
		return formatMap(pod.Annotations), nil
	case "spec.nodeName":
		return pod.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return pod.Spec.ServiceAccountName, nil
	case "status.hostIP", "status.hostIPs":
		return pod.Status.HostIP, nil
	case "status.podIP", "status.podIPs":
		return pod.Status.PodIP, nil
	}
	return "", fmt.Errorf("the virtual node does not support the field %q", field)
}

// subscript splits metadata.labels['key'].
func subscript(field string) (name, key string, ok bool) {
	name, rest, found := strings.Cut(field, "['")
	if !found || !strings.HasSuffix(rest, "']") {
		return "", "", false
	}
	return name, strings.TrimSuffix(rest, "']"), true
}

// formatMap writes labels the way a downward API volume does.
func formatMap(m map[string]string) string {
	lines := make([]string, 0, len(m))
	for key, value := range m {
		lines = append(lines, key+"="+strconv.Quote(value))
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

// resourceValue resolves a request or limit to a whole number of its divisor.
// Without a limit it is what the machine has.
func resourceValue(pod *corev1.Pod, c *corev1.Container, ref *corev1.ResourceFieldSelector, machine corev1.ResourceList) (string, error) {
	if ref.ContainerName != "" && (c == nil || ref.ContainerName != c.Name) {
		c = Container(pod, ref.ContainerName)
	}
	if c == nil {
		return "", fmt.Errorf("container %q of the resource Reference is not in the pod", ref.ContainerName)
	}
	kind, name, _ := strings.Cut(ref.Resource, ".")
	list := c.Resources.Limits
	if kind == "requests" {
		list = c.Resources.Requests
	}
	resourceName := corev1.ResourceName(name)
	quantity, ok := list[resourceName]
	if !ok && kind == "limits" {
		quantity = machine[resourceName]
	}
	divisor := ref.Divisor
	if divisor.IsZero() {
		divisor = resource.MustParse("1")
	}
	// CPU is counted in thousandths, so that "1m" is a usable divisor.
	if resourceName == corev1.ResourceCPU {
		return ceilDivide(quantity.MilliValue(), divisor.MilliValue()), nil
	}
	return ceilDivide(quantity.Value(), divisor.Value()), nil
}

func ceilDivide(a, b int64) string {
	if b == 0 {
		b = 1
	}
	return strconv.FormatInt((a+b-1)/b, 10)
}

// expand replaces $(NAME) by the variable's value. $$ is a literal dollar
// sign, and a reference to a variable that is not set stays as it is.
func expand(s string, values map[string]string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '$' || i+1 == len(s) {
			out.WriteByte(s[i])
			continue
		}
		switch s[i+1] {
		case '$':
			out.WriteByte('$')
			i++
		case '(':
			end := strings.IndexByte(s[i:], ')')
			if end < 0 {
				out.WriteByte('$')
				continue
			}
			name := s[i : i+end+1]
			if value, ok := values[name[2:len(name)-1]]; ok {
				out.WriteString(value)
			} else {
				out.WriteString(name)
			}
			i += end
		default:
			out.WriteByte('$')
		}
	}
	return out.String()
}

// ExpandAll replaces each $(NAME) in words by the variable's value, as a kubelet does.
func ExpandAll(words []string, values map[string]string) []string {
	result := make([]string, len(words))
	for i, word := range words {
		result[i] = expand(word, values)
	}
	return result
}

// Container returns the container or init container of that name, nil when there is none.
func Container(pod *corev1.Pod, name string) *corev1.Container {
	for _, list := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	return nil
}

func isTrue(b *bool) bool { return b != nil && *b }

// SetPair sets a variable that is given as NAME=value.
func (e *Environment) SetPair(pair string) {
	name, value, _ := strings.Cut(pair, "=")
	e.Set(name, value)
}
