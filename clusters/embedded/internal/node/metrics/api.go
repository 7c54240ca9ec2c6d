package metrics

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/refusal"
)

// API serves the metrics API (metrics.k8s.io/v1beta1) as an aggregated API
// server does. Whoever reaches it may read everything: the API server in front
// of it has checked who asks.
type API struct {
	Sampler  *Sampler
	NodeName string
	// Node returns the labels and the creation time of the Node object.
	Node func() metav1.ObjectMeta
}

// Handler returns the API's handler.
func (a *API) Handler() http.Handler {
	const group = "/apis/metrics.k8s.io"
	const version = group + "/v1beta1"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+group, a.group)
	mux.HandleFunc("GET "+version, a.resources)
	mux.HandleFunc("GET "+version+"/nodes", a.nodes)
	mux.HandleFunc("GET "+version+"/nodes/{name}", a.node)
	mux.HandleFunc("GET "+version+"/pods", a.pods)
	mux.HandleFunc("GET "+version+"/namespaces/{namespace}/pods", a.pods)
	mux.HandleFunc("GET "+version+"/namespaces/{namespace}/pods/{name}", a.pod)
	return mux
}

func (a *API) group(w http.ResponseWriter, _ *http.Request) {
	known := v1beta1.SchemeGroupVersion
	version := metav1.GroupVersionForDiscovery{GroupVersion: known.String(), Version: known.Version}
	answer(w, metav1.APIGroup{
		TypeMeta: metav1.TypeMeta{Kind: "APIGroup", APIVersion: "v1"},
		Name:     known.Group, Versions: []metav1.GroupVersionForDiscovery{version}, PreferredVersion: version,
	})
}

func (a *API) resources(w http.ResponseWriter, _ *http.Request) {
	verbs := metav1.Verbs{"get", "list"}
	answer(w, metav1.APIResourceList{
		TypeMeta:     metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"},
		GroupVersion: v1beta1.SchemeGroupVersion.String(),
		APIResources: []metav1.APIResource{
			{Name: "nodes", SingularName: "", Kind: "NodeMetrics", Verbs: verbs},
			{Name: "pods", SingularName: "", Kind: "PodMetrics", Namespaced: true, Verbs: verbs},
		},
	})
}

func (a *API) nodes(w http.ResponseWriter, r *http.Request) {
	chosen, err := newSelector(r)
	if err != nil {
		refusal.Send(w, err)
		return
	}
	list := v1beta1.NodeMetricsList{TypeMeta: kind("NodeMetricsList"), Items: []v1beta1.NodeMetrics{}}
	metrics, ok, err := a.nodeMetrics()
	if err != nil {
		refusal.Send(w, err)
		return
	}
	if ok && chosen.matches(metrics.ObjectMeta) {
		list.Items = append(list.Items, metrics)
	}
	answer(w, list)
}

func (a *API) node(w http.ResponseWriter, r *http.Request) {
	metrics, ok, err := a.nodeMetrics()
	switch name := r.PathValue("name"); {
	case err != nil:
		refusal.Send(w, err)
	case !ok || name != a.NodeName:
		refusal.Send(w, apierrors.NewNotFound(v1beta1.Resource("nodes"), name))
	default:
		answer(w, metrics)
	}
}

func (a *API) nodeMetrics() (v1beta1.NodeMetrics, bool, error) {
	usage, ok, err := a.Sampler.Node()
	if err != nil || !ok {
		return v1beta1.NodeMetrics{}, false, unavailable(err)
	}
	node := a.Node()
	return v1beta1.NodeMetrics{
		TypeMeta:   kind("NodeMetrics"),
		ObjectMeta: metav1.ObjectMeta{Name: a.NodeName, Labels: node.Labels, CreationTimestamp: node.CreationTimestamp},
		Timestamp:  metav1.NewTime(usage.At), Window: metav1.Duration{Duration: usage.Window}, Usage: resources(usage.Usage),
	}, true, nil
}

func (a *API) pods(w http.ResponseWriter, r *http.Request) {
	chosen, err := newSelector(r)
	if err != nil {
		refusal.Send(w, err)
		return
	}
	all, err := a.Sampler.Pods()
	if err != nil {
		refusal.Send(w, unavailable(err))
		return
	}
	list := v1beta1.PodMetricsList{TypeMeta: kind("PodMetricsList"), Items: []v1beta1.PodMetrics{}}
	for _, usage := range all {
		namespace := r.PathValue("namespace")
		if metrics := podMetrics(usage); (namespace == "" || namespace == usage.Namespace) && chosen.matches(metrics.ObjectMeta) {
			list.Items = append(list.Items, metrics)
		}
	}
	answer(w, list)
}

func (a *API) pod(w http.ResponseWriter, r *http.Request) {
	all, err := a.Sampler.Pods()
	if err != nil {
		refusal.Send(w, unavailable(err))
		return
	}
	namespace, name := r.PathValue("namespace"), r.PathValue("name")
	for _, usage := range all {
		if usage.Namespace == namespace && usage.Name == name {
			answer(w, podMetrics(usage))
			return
		}
	}
	refusal.Send(w, apierrors.NewNotFound(v1beta1.Resource("pods"), namespace+"/"+name))
}

func podMetrics(p PodUsage) v1beta1.PodMetrics {
	metrics := v1beta1.PodMetrics{
		TypeMeta:   kind("PodMetrics"),
		ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name, Labels: p.Labels, CreationTimestamp: metav1.NewTime(p.Started)},
		Timestamp:  metav1.NewTime(p.At), Window: metav1.Duration{Duration: p.Window},
	}
	for i, c := range p.Containers {
		metrics.Containers = append(metrics.Containers, v1beta1.ContainerMetrics{Name: c.Name, Usage: resources(p.Usages[i])})
	}
	return metrics
}

func resources(u Usage) corev1.ResourceList {
	return corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewScaledQuantity(int64(math.Round(u.Cores*1e9)), resource.Nano),
		corev1.ResourceMemory: *resource.NewQuantity(u.Memory, resource.BinarySI),
	}
}

func kind(name string) metav1.TypeMeta {
	return metav1.TypeMeta{Kind: name, APIVersion: v1beta1.SchemeGroupVersion.String()}
}

// selector is what a list asks for.
type selector struct {
	labels labels.Selector
	fields fields.Selector
}

func newSelector(r *http.Request) (selector, error) {
	query := r.URL.Query()
	byLabel, err := labels.Parse(query.Get("labelSelector"))
	if err != nil {
		return selector{}, apierrors.NewBadRequest(fmt.Sprintf("labelSelector: %v", err))
	}
	byField, err := fields.ParseSelector(query.Get("fieldSelector"))
	if err != nil {
		return selector{}, apierrors.NewBadRequest(fmt.Sprintf("fieldSelector: %v", err))
	}
	return selector{byLabel, byField}, nil
}

func (s selector) matches(object metav1.ObjectMeta) bool {
	return s.labels.Matches(labels.Set(object.Labels)) &&
		s.fields.Matches(fields.Set{"metadata.name": object.Name, "metadata.namespace": object.Namespace})
}

func unavailable(err error) error {
	if err == nil {
		return nil
	}
	return apierrors.NewServiceUnavailable(err.Error())
}

func answer(w http.ResponseWriter, object any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(object) // the client is gone
}
