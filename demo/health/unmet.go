package health

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/fluxcd/pkg/apis/meta"
	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/jsonpath"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/demo/object"
)

// Unmet says in one line what a call of `kubectl wait` or `kubectl rollout status` waits for: the first object for which
// it does not hold, with what was found and what is wanted, and what the object says of itself. args is the whole call,
// for example "kubectl", "-n", "app", "wait", "deployment/app", "--for=jsonpath={.spec.replicas}=3". It returns "" for
// other calls, when all holds, and when the objects cannot be read. ctx needs a deadline.
func Unmet(ctx context.Context, c client.Client, args []string) string {
	w, err := parseWait(args)
	if err != nil {
		return ""
	}
	for _, wanted := range w.objects {
		o, why := read(ctx, c, wanted, w.namespace)
		switch {
		case o == nil && why == "":
			return ""
		case w.want == "delete" && o != nil:
			return wanted.String() + " is still there" + says(o)
		case w.want == "delete":
			continue
		case o == nil:
			return why
		}
		if why := w.unmet(o); why != "" {
			return wanted.String() + ": " + why
		}
	}
	return ""
}

// waiting is a call of kubectl that waits.
type waiting struct {
	namespace string
	objects   []target
	want      string // as --for has it; "rollout" for a rollout
}

// target is an object as it is named on a command line, such as kustomization/apps.
type target struct{ kind, name string }

func (n target) String() string { return n.kind + "/" + n.name }

func parseWait(args []string) (*waiting, error) {
	other := errors.New("this is no wait of kubectl")
	if len(args) < 3 || path.Base(args[0]) != "kubectl" {
		return nil, other
	}
	w := &waiting{}
	flags := pflag.NewFlagSet("kubectl", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flags.StringVarP(&w.namespace, "namespace", "n", "default", "")
	flags.StringVar(&w.want, "for", "", "")
	flags.String("timeout", "", "")
	if err := flags.Parse(args[1:]); err != nil {
		return nil, err
	}
	words := flags.Args()
	switch {
	case len(words) > 1 && words[0] == "wait":
		words = words[1:]
	case len(words) > 2 && words[0] == "rollout" && words[1] == "status":
		words, w.want = words[2:], "rollout"
	default:
		return nil, other
	}
	for i := 0; i < len(words); i++ {
		kind, name, slash := strings.Cut(words[i], "/")
		if !slash && i+1 < len(words) {
			i++
			name = words[i]
		}
		if name == "" {
			return nil, other
		}
		w.objects = append(w.objects, target{kind, name})
	}
	return w, nil
}

// short are kinds that people shorten, by the forms that they use.
func short(kind string) string {
	return cmp.Or(map[string]string{
		"deploy": "deployments", "po": "pods", "svc": "services", "cm": "configmaps", "ns": "namespaces", "ks": "kustomizations",
		"crd": "customresourcedefinitions", "crds": "customresourcedefinitions", "hr": "helmreleases", "gitrepo": "gitrepositories",
	}[kind], kind)
}

// read returns an object, or why it is not there; neither if that is not known.
func read(ctx context.Context, c client.Client, n target, namespace string) (*unstructured.Unstructured, string) {
	resource, group := schema.ParseResourceArg(short(strings.ToLower(n.kind)))
	partial := group.WithVersion("")
	if resource != nil {
		partial = *resource
	}
	kind, err := c.RESTMapper().KindFor(partial)
	if err != nil {
		return nil, ""
	}
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(kind)
	key := client.ObjectKey{Name: n.name}
	if spaced, err := c.IsObjectNamespaced(o); err == nil && spaced {
		key.Namespace = namespace
	}
	switch err := c.Get(ctx, key, o); {
	case apierrors.IsNotFound(err) && key.Namespace != "":
		return nil, fmt.Sprintf("%s does not exist in the namespace %s", n, key.Namespace)
	case apierrors.IsNotFound(err):
		return nil, n.String() + " does not exist"
	case err != nil:
		return nil, ""
	}
	return o, ""
}

// unmet says what an object lacks, "" if nothing.
func (w *waiting) unmet(o *unstructured.Unstructured) string {
	how, what, _ := strings.Cut(w.want, "=")
	switch how {
	case "rollout":
		message, fault := atFault(o)
		if !fault {
			return ""
		}
		return object.Brief(message)
	case "condition":
		name, wanted, has := strings.Cut(what, "=")
		if !has {
			wanted = string(metav1.ConditionTrue)
		}
		found := object.Condition(o, name)
		switch {
		case strings.EqualFold(string(found.Status), wanted) && !object.Outdated(o):
			return ""
		case found.Type == "":
			return "it has no condition " + name + " yet"
		case object.Outdated(o):
			return "its last change is not reconciled yet"
		}
		why := fmt.Sprintf("%s is %s, wanted %s", name, found.Status, wanted)
		if message := object.Brief(found.Message); message != "" {
			why += ": " + message
		}
		return why
	case "jsonpath":
		field, wanted, _ := strings.Cut(what, "}=")
		field = strings.TrimSuffix(strings.TrimPrefix(strings.Trim(field, `'"`), "{"), "}")
		return w.field(o, field, strings.Trim(wanted, `'"`))
	}
	return ""
}

// field compares what is at a path with what is wanted; "" for anything.
func (w *waiting) field(o *unstructured.Unstructured, field, wanted string) string {
	reader := jsonpath.New("wait").AllowMissingKeys(true)
	if err := reader.Parse("{" + field + "}"); err != nil {
		return ""
	}
	var found bytes.Buffer
	if err := reader.Execute(&found, o.Object); err != nil {
		return ""
	}
	if found.String() == wanted || wanted == "" && found.Len() > 0 {
		return ""
	}
	field = strings.TrimPrefix(strings.ReplaceAll(field, `\.`, "."), ".")
	is := "not set"
	if found.Len() > 0 {
		is = brief(found.String())
	}
	return fmt.Sprintf("%s is %s, wanted %s", field, is, brief(wanted)) + says(o)
}

// says returns what an object that is not ready says of itself, to be put behind something else.
func says(o *unstructured.Unstructured) string {
	ready := object.Condition(o, meta.ReadyCondition)
	if ready.Status != metav1.ConditionFalse || ready.Message == "" {
		return ""
	}
	return "; it says: " + object.Brief(ready.Message)
}

var hash = regexp.MustCompile(`\b([0-9a-f]{8})[0-9a-f]{32}\b`)

// brief shortens commits as Git does.
func brief(text string) string { return hash.ReplaceAllString(text, "$1") }
