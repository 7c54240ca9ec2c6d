package binding

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Target names what a node stands for: a role, or an object as "Kind/namespace/name".
type Target string

// The roles.
const (
	User       Target = "user"       // a person who pushes or runs kubectl
	Git        Target = "git"        // the Git host
	Hook       Target = "webhook"    // the webhook that the Git host sends
	Flux       Target = "flux"       // all of Flux: controllers and objects
	Kubernetes Target = "kubernetes" // the API, and what is being applied
	App        Target = "app"        // the sample app
	Inbox      Target = "inbox"      // where notifications arrive
	Registry   Target = "registry"   // an OCI registry
)

// None is the explicit target of a node that shall stay plain.
const None = "none"

// Roles lists the targets that are no objects.
func Roles() []Target {
	return []Target{User, Git, Hook, Flux, Kubernetes, App, Inbox, Registry}
}

// Defaults name the object that a bare kind stands for: kind to "namespace/name".
type Defaults map[string]string

// DemoDefaults are those of the demo's own cluster.
func DemoDefaults() Defaults {
	return Defaults{
		"GitRepository": "flux-system/flux-system",
		"Receiver":      "flux-system/flux-system",
		// What a push in a talk changes is the app.
		"Kustomization": "flux-system/apps",
		"Provider":      "flux-system/inbox",
		"Alert":         "flux-system/inbox",
		"Deployment":    "app/app",
	}
}

// DefaultNamespace is that of an object which is given without.
const DefaultNamespace = "flux-system"

// What a kind is for.
const (
	Source  = "source"  // has an artifact
	Applier = "applier" // applies what is in an artifact
	Alert   = "alert"   // passes on events
	Other   = "other"
)

// class says what a kind is for, and which controller works on it. A kind that is not here has no node.
type class struct{ role, controller string }

// kinds are those that nodes can stand for.
func kinds() map[string]class {
	return map[string]class{
		"GitRepository":         {Source, "source-controller"},
		"OCIRepository":         {Source, "source-controller"},
		"HelmRepository":        {Source, "source-controller"},
		"HelmChart":             {Source, "source-controller"},
		"Bucket":                {Source, "source-controller"},
		"ExternalArtifact":      {Source, "source-watcher"},
		"ArtifactGenerator":     {Other, "source-watcher"},
		"Kustomization":         {Applier, "kustomize-controller"},
		"HelmRelease":           {Applier, "helm-controller"},
		"Receiver":              {Other, "notification-controller"},
		"Provider":              {Alert, "notification-controller"},
		"Alert":                 {Alert, "notification-controller"},
		"ImageRepository":       {Other, "image-reflector-controller"},
		"ImagePolicy":           {Other, "image-reflector-controller"},
		"ImageUpdateAutomation": {Other, "image-automation-controller"},
		"Deployment":            {Other, ""},
	}
}

// Known reports whether nodes can stand for objects of a kind, for example GitRepository.
func Known(kind string) bool {
	_, ok := kinds()[kind]
	return ok
}

// RoleOf says what a kind is for: Source, Applier, Alert or Other; "" if it is not Known.
func RoleOf(kind string) string { return kinds()[kind].role }

// ControllerOf names the controller that works on a kind, for example source-controller; "" if none of Flux's does.
func ControllerOf(kind string) string { return kinds()[kind].controller }

// ObjectTarget is the target of an object.
func ObjectTarget(kind, namespace, name string) Target {
	return Target(kind + "/" + namespace + "/" + name)
}

// Object returns the parts of a target that is an object; ok is false for a role.
func (t Target) Object() (kind, namespace, name string, ok bool) {
	parts := strings.Split(string(t), "/")
	if len(parts) != 3 {
		return "", "", "", false
	}
	return parts[0], parts[1], parts[2], true
}

// Role says what a target's kind is for, "" if it is none.
func (t Target) Role() string {
	kind, _, _, ok := t.Object()
	if !ok {
		return ""
	}
	return RoleOf(kind)
}

// IsDeployment reports whether the target is a Deployment.
func (t Target) IsDeployment() bool { return strings.HasPrefix(string(t), "Deployment/") }

// OfFlux reports whether the target is one of Flux's own objects.
func (t Target) OfFlux() bool { return t.Role() != "" && !t.IsDeployment() }

// ParseTarget parses the target of a node: a role, Kind, Kind/name, or Kind/namespace/name, for example "git" or
// "Kustomization/flux-system/apps". d completes names that are missing.
func ParseTarget(s string, d Defaults) (Target, error) {
	if slices.Contains(Roles(), Target(s)) {
		return Target(s), nil
	}
	parts := strings.Split(s, "/")
	if _, ok := kinds()[parts[0]]; !ok {
		return "", fmt.Errorf("%q is not a target; valid values: %s, or Kind/namespace/name with a kind such as GitRepository", s, join(Roles()))
	}
	for _, part := range parts[1:] {
		if !objectName(part) {
			return "", fmt.Errorf("%q is not a target: %q is not a valid name in Kubernetes", s, part)
		}
	}
	switch len(parts) {
	case 1:
		return d.object(parts[0]), nil
	case 2:
		return ObjectTarget(parts[0], DefaultNamespace, parts[1]), nil
	case 3:
		return Target(s), nil
	}
	return "", fmt.Errorf("%q is not a target: use Kind/namespace/name for an object", s)
}

// object is what a bare kind stands for.
func (d Defaults) object(kind string) Target {
	namespace, name, ok := strings.Cut(d[kind], "/")
	if !ok {
		namespace, name = DefaultNamespace, DefaultNamespace
	}
	return ObjectTarget(kind, namespace, name)
}

func objectName(s string) bool {
	return len(s) <= 253 && regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`).MatchString(s)
}

func join(targets []Target) string {
	var all []string
	for _, t := range targets {
		all = append(all, string(t))
	}
	return strings.Join(all, ", ")
}
