package metrics

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/fluxdemo/fluxdemo/clusters/backoff"
)

const (
	// Address stands for the API in its Service's endpoints, which may not be
	// loopback addresses. Nothing listens on it, and no pod has it.
	Address = "10.244.0.1"
	// Port belongs to Address.
	Port = 443
	// ServerName is the name that the certificate has to have.
	ServerName = serviceName + "." + serviceNamespace + ".svc"

	serviceName      = "metrics-server" // as in other clusters
	serviceNamespace = metav1.NamespaceSystem
	manager          = "fluxdemo-node"
	requestTimeout   = 10 * time.Second
)

// Register tells the API server of the metrics API, until it has worked or ctx
// ends. ca is the CA (PEM) of the certificate that the API is served with. A
// client that is a fake has no API server to tell.
func Register(ctx context.Context, client kubernetes.Interface, ca []byte, logf func(format string, args ...any)) {
	if client.Discovery().RESTClient() == nil {
		return
	}
	retry, reported := backoff.Backoff{Min: 50 * time.Millisecond, Max: 2 * time.Second}, ""
	for {
		err := register(ctx, client, ca)
		if err == nil || ctx.Err() != nil {
			return
		}
		if err.Error() != reported {
			reported = err.Error()
			logf("metrics: %v", err)
		}
		if !retry.Wait(ctx) {
			return
		}
	}
}

func register(ctx context.Context, client kubernetes.Interface, ca []byte) error {
	for _, object := range objects(ca) {
		raw, err := json.Marshal(object.content)
		if err != nil {
			return fmt.Errorf("encoding %s: %w", object.path, err)
		}
		if err := apply(ctx, client.Discovery().RESTClient(), object.path, raw); err != nil {
			return fmt.Errorf("applying %s: %w", object.path, err)
		}
	}
	return nil
}

func apply(ctx context.Context, client rest.Interface, path string, raw []byte) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return client.Patch(types.ApplyPatchType).AbsPath(path).Param("fieldManager", manager).Param("force", "true").
		SetHeader("Accept", "application/json").Body(raw).Do(ctx).Error()
}

type object struct {
	path    string
	content any
}

// objects returns what makes the API one of the cluster's, in the order in
// which it has to be there: the API server asks the API as soon as it knows it.
func objects(ca []byte) []object {
	port, portName, ready, protocol := int32(Port), "https", true, corev1.ProtocolTCP
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: name, Labels: map[string]string{"app.kubernetes.io/name": serviceName}}
	}
	namespaced := meta(serviceName)
	namespaced.Namespace = serviceNamespace
	slice := namespaced
	slice.Labels = map[string]string{discoveryv1.LabelServiceName: serviceName, discoveryv1.LabelManagedBy: manager}
	role := meta("system:aggregated-metrics-reader")
	for _, to := range []string{"view", "edit", "admin"} {
		role.Labels["rbac.authorization.k8s.io/aggregate-to-"+to] = "true"
	}
	const namespace = "/namespaces/" + serviceNamespace
	api := v1beta1.SchemeGroupVersion
	name := api.Version + "." + api.Group
	return []object{
		{"/apis/rbac.authorization.k8s.io/v1/clusterroles/" + role.Name, rbacv1.ClusterRole{
			TypeMeta: metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole"}, ObjectMeta: role,
			Rules: []rbacv1.PolicyRule{{APIGroups: []string{api.Group}, Resources: []string{"pods", "nodes"}, Verbs: []string{"get", "list", "watch"}}},
		}},
		{"/api/v1" + namespace + "/services/" + serviceName, corev1.Service{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: namespaced,
			Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: portName, Port: port, Protocol: protocol, TargetPort: intstr.FromInt32(port)}}},
		}},
		{"/apis/discovery.k8s.io/v1" + namespace + "/endpointslices/" + serviceName, discoveryv1.EndpointSlice{
			TypeMeta: metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"}, ObjectMeta: slice,
			AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{Address}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
			Ports:       []discoveryv1.EndpointPort{{Name: &portName, Port: &port, Protocol: &protocol}},
		}},
		// Its types are in a module that links an API server.
		{"/apis/apiregistration.k8s.io/v1/apiservices/" + name, map[string]any{
			"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": meta(name),
			"spec": map[string]any{
				"group": api.Group, "version": api.Version, "groupPriorityMinimum": 100, "versionPriority": 100,
				"service":  map[string]any{"namespace": serviceNamespace, "name": serviceName, "port": port},
				"caBundle": ca,
			},
		}},
	}
}
