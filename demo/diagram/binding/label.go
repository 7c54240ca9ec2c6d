package binding

import (
	"regexp"
	"strings"
)

// guess finds the target that a label names; "" if it names none. inFlux says that the node stands in a box that is
// Flux or a cluster.
func guess(label string, inFlux bool, d Defaults) Target {
	label = strings.Join(strings.Fields(regexp.MustCompile(`[^\pL\pN\s/:._-]`).ReplaceAllString(label, " ")), " ")
	if t := namedObject(label, d); t != "" {
		return t
	}
	words := strings.ToLower(label)
	words = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(words, "the "), "a "), "an ")
	words = strings.TrimRight(words, ":.")
	if t := controller(words); t != "" {
		return t
	}
	if words == "git repository" || words == "git repo" || words == "repository" || words == "source" {
		// Outside it is what one pushes to, inside it is what Flux made of it.
		if inFlux {
			return d.object("GitRepository")
		}
		if words == "source" {
			return ""
		}
		return Git
	}
	for _, each := range phrases() {
		for _, phrase := range each.phrases {
			if words == phrase {
				return each.target
			}
		}
	}
	return bareKind(label, d)
}

// phrases are what people call the roles. A label has to be one of them as a whole: prose is no name.
func phrases() []struct {
	target  Target
	phrases []string
} {
	return []struct {
		target  Target
		phrases []string
	}{
		{User, []string{
			"user", "users", "you", "me", "we", "developer", "developers", "dev", "devs", "somebody", "someone", "anybody",
			"people", "person", "engineer", "engineers", "team", "dev team", "platform team", "author", "speaker", "attendee",
			"operator", "admin", "app developer", "colleague", "human",
		}},
		{Git, []string{
			"git", "git host", "git hosting", "git server", "git provider", "git forge", "forge", "github", "gitlab", "gitea",
			"forgejo", "bitbucket", "codeberg", "fleet", "fleet repository", "fleet repo", "git fleet", "remote", "origin",
		}},
		{Hook, []string{"webhook", "webhooks", "web hook", "hook", "git webhook", "github webhook", "push webhook", "push event"}},
		{Flux, []string{
			"flux", "fluxcd", "flux cd", "flux v2", "flux2", "flux controllers", "flux controller", "controllers", "gitops toolkit",
			"gitops agent", "gitops operator", "gitops controller", "flux-system",
		}},
		{Kubernetes, []string{
			"kubernetes", "k8s", "kube", "cluster", "kubernetes cluster", "k8s cluster", "kubernetes api", "k8s api", "api server",
			"kubernetes api server", "kube-apiserver", "kube apiserver", "apiserver", "the cluster", "your cluster", "production",
		}},
		{App, []string{
			"app", "apps", "application", "applications", "sample app", "demo app", "your app", "my app", "workload", "workloads",
			"pod", "pods", "page", "web page", "website",
		}},
		{Inbox, []string{
			"inbox", "notification", "notifications", "chat", "slack", "teams", "ms teams", "discord", "email", "e-mail", "mail",
			"mail box", "mailbox", "pager", "rocket chat", "matrix",
		}},
		{Registry, []string{"registry", "oci registry", "container registry", "image registry", "oci", "ghcr", "ghcr.io", "docker hub", "harbor"}},
	}
}

// namedObject reads "Kind name", "Kind: name", "Kind/name" and "Kind/namespace/name".
func namedObject(label string, d Defaults) Target {
	kind, rest, ok := strings.Cut(strings.ReplaceAll(label, ": ", " "), " ")
	if !ok {
		kind, rest, ok = strings.Cut(label, "/")
	}
	kind = kindOf(kind)
	if !ok || kind == "" || strings.ContainsAny(rest, " :") || rest == "controller" || rest == "controllers" {
		return ""
	}
	t, err := ParseTarget(kind+"/"+rest, d)
	if err != nil {
		return ""
	}
	if _, name, _ := strings.Cut(rest, "/"); kind == "Deployment" && name == "" {
		// Controllers are where Flux is, other Deployments most likely where the app is.
		if controller(rest) == "" {
			namespace, _, _ := strings.Cut(d[kind], "/")
			return ObjectTarget(kind, namespace, rest)
		}
	}
	return t
}

// bareKind reads a kind, in one word or in several, in the singular or plural.
func bareKind(label string, d Defaults) Target {
	if kind := kindOf(strings.ReplaceAll(label, " ", "")); kind != "" {
		return d.object(kind)
	}
	if strings.EqualFold(label, "webhook receiver") || strings.EqualFold(label, "flux receiver") {
		return d.object("Receiver")
	}
	return ""
}

// kindOf returns the kind that a word names, whatever its case and number; "" if it names none.
func kindOf(word string) string {
	word = strings.ToLower(word)
	for kind := range kinds() {
		one := strings.ToLower(kind)
		many := one + "s"
		if stem, ok := strings.CutSuffix(one, "y"); ok {
			many = stem + "ies"
		}
		if word == one || word == many {
			return kind
		}
	}
	return ""
}

// controller reads the name of one of Flux's Deployments, of a shard too: "source-controller", "Kustomize Controller",
// "source-controller-shard1", "shard1".
func controller(words string) Target {
	words = strings.NewReplacer(" ", "-", ":", "", "/", "-").Replace(words)
	if shard := regexp.MustCompile(`^shard-?([a-z0-9]+)$`).FindStringSubmatch(words); shard != nil {
		return ObjectTarget("Deployment", DefaultNamespace, "kustomize-controller-shard"+shard[1])
	}
	for _, of := range kinds() {
		if of.controller == "" || !strings.HasPrefix(words, of.controller) {
			continue
		}
		rest := words[len(of.controller):]
		if rest == "" || rest[0] == '-' && objectName(rest[1:]) {
			return ObjectTarget("Deployment", DefaultNamespace, words)
		}
	}
	return ""
}
