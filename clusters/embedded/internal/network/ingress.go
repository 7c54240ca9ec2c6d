package network

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
)

// noIngress is what the event of each Ingress says.
const noIngress = "the embedded cluster has no ingress controller, so this Ingress does nothing: " +
	"use a Service of type NodePort or LoadBalancer, which answers on 127.0.0.1, or `fluxdemo up --cluster kind` and a controller of your own"

// nameIngresses records an event for each Ingress that comes.
func (n *Network) nameIngresses(recorder record.EventRecorder) error {
	_, err := n.factory.Networking().V1().Ingresses().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) {
			if ingress, ok := object.(*networkingv1.Ingress); ok {
				recorder.Event(ingress, corev1.EventTypeWarning, "NoIngressController", noIngress)
			}
		},
	})
	return err
}
