package script

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// kubectl is a call of kubectl, as far as its text tells.
type kubectl struct {
	verb  string // with the word behind it where that says what is done: "rollout restart"
	flags map[string][]string
	kinds []string
	names []string
}

// kubectlCall reads a call of kubectl; nil if it is another program's.
func kubectlCall(words []string) *kubectl {
	args := after(words, "kubectl")
	flags, plain := split(args)
	if len(plain) == 0 {
		return nil
	}
	k := &kubectl{verb: plain[0], flags: flags}
	plain = plain[1:]
	if (k.verb == "rollout" || k.verb == "set") && len(plain) > 0 {
		k.verb += " " + plain[0]
		plain = plain[1:]
	}
	add := func(list *[]string, what string) {
		if !slices.Contains(*list, what) {
			*list = append(*list, what)
		}
	}
	for i, word := range plain {
		kind, name, slash := strings.Cut(word, "/")
		switch {
		case (k.verb == "label" || k.verb == "annotate") && i > 0 && (strings.Contains(word, "=") || strings.HasSuffix(word, "-")):
			return k // labels, whose names may have slashes as well
		case slash:
			add(&k.kinds, kindOf(kind))
			add(&k.names, name)
		case i == 0:
			for _, kind := range strings.Split(word, ",") {
				add(&k.kinds, kindOf(kind))
			}
		default:
			add(&k.names, word)
		}
	}
	return k
}

// flag returns the last value of a flag.
func (k *kubectl) flag(name string) (value string, is bool) {
	values := k.flags[name]
	if len(values) == 0 {
		return "", false
	}
	return values[len(values)-1], true
}

// on reports whether a flag without a value is set.
func (k *kubectl) on(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		value, is := k.flag(name)
		return is && value != "false"
	})
}

// inFlux reports whether the call may be about objects in Flux's namespace.
func (k *kubectl) inFlux() bool {
	value, _ := k.flag("namespace")
	return value == fluxNamespace || strings.Contains(value, unknown) || k.on("A", "all-namespaces")
}

// workload reports whether the call is about what Flux's controllers run as.
func (k *kubectl) workload() bool {
	return slices.ContainsFunc(k.kinds, func(kind string) bool {
		return kind == deployment || kind == pod || kind == replicaSet || kind == "all" || strings.Contains(kind, unknown)
	})
}

// fluxName returns the first name that is one of Flux's controllers.
func (k *kubectl) fluxName() string {
	i := slices.IndexFunc(k.names, fluxController.MatchString)
	if i < 0 {
		return ""
	}
	return strings.ReplaceAll(k.names[i], unknown, "…")
}

// readsFlux reports whether the call prints one of Flux's Deployments, so that another one can put it back changed.
func (k *kubectl) readsFlux() bool {
	output, _ := k.flag("output")
	return k.verb == "get" && k.inFlux() && k.workload() && k.fluxName() != "" && (output == "yaml" || output == "json")
}

// why says why the call needs a cluster of its own, "" if it does not, and what does the same without harm. isFlux tells
// whether a file holds one of Flux's Deployments.
func (k *kubectl) why(isFlux func(file string) bool) (why, hint string) {
	if dry, is := k.flag("dry-run"); is && dry != "none" || k.on("local") {
		return "", ""
	}
	switch k.verb {
	case "drain", "cordon", "uncordon", "taint":
		return "kubectl " + k.verb + " changes a node", ""
	case "apply", "replace", "create", "patch", "scale", "delete", "edit", "annotate", "label", "autoscale",
		"rollout restart", "rollout undo", "rollout pause", "rollout resume":
	default:
		if !strings.HasPrefix(k.verb, "set ") {
			return "", ""
		}
	}
	if k.verb != "create" {
		if name := k.fluxName(); name != "" && k.workload() && k.inFlux() {
			return "it changes Flux's own " + k.kinds[0] + "/" + name, ""
		}
		if slices.ContainsFunc(k.flags["filename"], isFlux) {
			return "it changes one of Flux's own Deployments", ""
		}
	}
	if k.verb == "apply" || k.verb == "replace" || k.verb == "create" {
		return "", ""
	}
	selector, selects := k.flag("selector")
	ours := selects && ourSelector(selector)
	switch {
	case k.on("A", "all-namespaces") && !ours:
		return "kubectl " + k.verb + " works in all namespaces", ""
	case k.on("all"):
		return "kubectl " + k.verb + " --all also selects objects of others", "name the objects"
	case selects && !ours:
		return "kubectl " + k.verb + " selects by a label that others use too", "select by a label of the walk's own, " + ownLabels + "..."
	case k.verb == "delete" && !selects:
		for _, kind := range []string{namespace, node, crd} {
			if slices.Contains(k.kinds, kind) && len(k.names) > 0 {
				return "kubectl delete removes a " + kind + " by its name, even if it is not the walk's", "label it when you create it, and delete by -l " + ownLabels + "..."
			}
		}
	}
	return "", ""
}

// ourSelector reports whether all that a selector selects has a label of the demo's.
func ourSelector(selector string) bool {
	return slices.ContainsFunc(strings.Split(selector, ","), func(requirement string) bool {
		requirement = strings.TrimSpace(requirement)
		return strings.HasPrefix(requirement, ownLabels) && !strings.Contains(requirement, "!") && !strings.Contains(requirement, " notin")
	})
}

// split takes the flags out of a program's arguments: name without dashes, long or short, to its values.
func split(args []string) (flags map[string][]string, plain []string) {
	flags = map[string][]string{}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		name, value, has := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch {
		case !strings.HasPrefix(arg, "-") || arg == "-":
			plain = append(plain, arg)
			continue
		case arg == "--":
			return flags, append(plain, args[i+1:]...)
		case !strings.HasPrefix(arg, "--") && len(name) > 1 && valueFlags()[name[:1]] != "":
			name, value, has = arg[1:2], strings.TrimPrefix(arg[2:], "="), true // -nflux-system
		}
		long := cmp.Or(valueFlags()[name], name)
		if !has && valueFlags()[name] != "" && i+1 < len(args) {
			i++
			value = args[i]
		}
		flags[long] = append(flags[long], value)
	}
	return flags, plain
}

// valueFlags are the flags of kubectl and flux behind which a value stands, to their long names.
func valueFlags() map[string]string {
	all := map[string]string{"n": "namespace", "l": "selector", "f": "filename", "p": "patch", "o": "output", "k": "kustomize", "c": "container"}
	for _, name := range strings.Fields("namespace selector filename patch patch-file type output replicas current-replicas timeout context " +
		"kubeconfig cluster user field-selector field-manager for image request-timeout grace-period as as-group token subresource " +
		"resource-version template container kustomize raw to-revision kube-context overrides label interval") {
		all[name] = name
	}
	return all
}

// The kinds that matter, by one name each.
const (
	deployment = "deployment"
	pod        = "pod"
	replicaSet = "replicaset"
	namespace  = "namespace"
	node       = "node"
	crd        = "customresourcedefinition"
)

// kindOf returns the canonical name of a kind, for example "deployment" for "deploy".
func kindOf(word string) string {
	word, _, _ = strings.Cut(strings.ToLower(word), ".")
	short := map[string]string{
		"deploy": deployment, "po": pod, "rs": replicaSet, "ns": namespace, "no": node, "crd": crd, "crds": crd,
		"pv": "persistentvolume", "sc": "storageclass", "storageclasses": "storageclass", "pc": "priorityclass", "priorityclasses": "priorityclass",
	}
	if long := short[word]; long != "" {
		return long
	}
	return strings.TrimSuffix(word, "s")
}

// fluxController matches the names of Flux's Deployments and of their pods.
var fluxController = regexp.MustCompile(`^(source|kustomize|helm|notification|image-reflector|image-automation)-controller(-|$)|^source-watcher(-|$)|` + unknown)
