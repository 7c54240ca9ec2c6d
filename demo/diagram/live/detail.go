package live

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/yaml"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/object"
)

const (
	lastEvents = 10  // of an object
	lastLines  = 20  // of a log
	readLines  = 400 // in which those about the object are looked for
)

// Detail returns what a panel shows of a target; ctx carries a deadline. What is not there has a state that says so,
// and nothing else. While the API server is away the object is as it was seen last, and Problem says what is missing.
func (w *Watcher) Detail(ctx context.Context, t binding.Target) (Detail, error) {
	if _, _, _, named := t.Object(); !named && !slices.Contains(binding.Roles(), t) || named && t.Role() == "" {
		return Detail{}, fmt.Errorf("%q is not a target", t)
	}
	of := t
	if d, ok := deployments()[t]; ok {
		of = d
	}
	if t == binding.Hook {
		of = deployments()[binding.Git] // it is the one that sends it
	}
	var o *unstructured.Unstructured
	answer := make(chan []State, 1)
	w.tell(func(m *model, _ time.Time) {
		o = m.objects[of]
		var parts []State
		switch t {
		case binding.Flux:
			parts = m.fluxParts()
		case binding.Kubernetes:
			parts = m.workloads()
		}
		answer <- parts
	})
	d := Detail{State: w.State(t)}
	select {
	case d.Parts = <-answer:
	case <-ctx.Done():
		return d, ctx.Err()
	}
	slices.SortFunc(d.Parts, func(a, b State) int { return cmp.Compare(a.Target, b.Target) })
	if o == nil {
		return d, nil
	}
	var err error
	if d.YAML, err = shown(o); err != nil {
		return d, fmt.Errorf("writing %s as YAML: %w", of, err)
	}
	for _, c := range object.Conditions(o) {
		d.Conditions = append(d.Conditions, Condition{c.Type, string(c.Status), c.Reason, object.Brief(c.Message), c.LastTransitionTime.Time})
	}
	d.Controller = controllerOf(o)
	var problems []string
	if d.Events, err = w.events(ctx, o); err != nil {
		problems = append(problems, "cannot read its events: "+err.Error())
	}
	if d.Log, err = w.log(ctx, d.Controller, o); err != nil {
		problems = append(problems, "cannot read the log of "+d.Controller+": "+err.Error())
	}
	d.Problem = strings.Join(problems, "; ")
	return d, nil
}

// workloads are the states of the Deployments that Flux has applied.
func (m *model) workloads() []State {
	var parts []State
	for t, o := range m.objects {
		if s, ok := m.hub.get(t); ok && t.IsDeployment() && owner(o) != "" {
			parts = append(parts, s)
		}
	}
	return parts
}

// controllerOf is the Deployment that works on an object, as namespace/name. A shard's objects say so in a label.
func controllerOf(o *unstructured.Unstructured) string {
	if o.GetKind() == "Deployment" {
		return o.GetNamespace() + "/" + o.GetName()
	}
	name := binding.ControllerOf(o.GetKind())
	if shard := o.GetLabels()["sharding.fluxcd.io/key"]; shard != "" {
		name += "-" + shard
	}
	return binding.DefaultNamespace + "/" + name
}

// events returns the object's last events, the newest last.
func (w *Watcher) events(ctx context.Context, o *unstructured.Unstructured) ([]ObjectEvent, error) {
	list, err := w.kube.CoreV1().Events(o.GetNamespace()).List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("involvedObject.uid", string(o.GetUID())).String(),
	})
	if err != nil {
		return nil, err
	}
	var all []ObjectEvent
	for _, e := range list.Items {
		all = append(all, ObjectEvent{
			Type: cmp.Or(e.Type, corev1.EventTypeNormal), Reason: e.Reason, Message: object.Brief(e.Message), At: object.LastSeen(e), Count: max(1, int(e.Count)),
		})
	}
	slices.SortStableFunc(all, func(a, b ObjectEvent) int { return a.At.Compare(b.At) })
	return all[max(0, len(all)-lastEvents):], nil
}

// log returns the end of a Deployment's log: the lines that name the object, or all if there are none.
func (w *Watcher) log(ctx context.Context, deployment string, o *unstructured.Unstructured) ([]string, error) {
	namespace, name, _ := strings.Cut(deployment, "/")
	d, err := w.kube.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil {
		return nil, err
	}
	pods, err := w.kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
	if err != nil {
		return nil, err
	}
	if len(pods.Items) == 0 {
		return nil, fmt.Errorf("it has no pod")
	}
	newest := slices.MaxFunc(pods.Items, func(a, b corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	tail := int64(readLines)
	stream, err := w.kube.CoreV1().Pods(namespace).GetLogs(newest.Name, &corev1.PodLogOptions{TailLines: &tail}).Stream(ctx)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	var all, about []string
	lines := bufio.NewScanner(stream)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := hidden(lines.Text())
		all = append(all, line)
		if strings.Contains(line, `"name":"`+o.GetName()+`"`) && strings.Contains(line, o.GetKind()) {
			about = append(about, line)
		}
	}
	if len(about) > 0 {
		all = about
	}
	return all[max(0, len(all)-lastLines):], lines.Err()
}

// shown writes an object as people want to see it, without what could be a secret.
func shown(o *unstructured.Unstructured) (string, error) {
	o = o.DeepCopy()
	o.SetManagedFields(nil)
	annotations := o.GetAnnotations()
	delete(annotations, corev1.LastAppliedConfigAnnotation)
	o.SetAnnotations(annotations)
	redact(o.Object)
	raw, err := yaml.Marshal(o.Object)
	return string(raw), err
}
