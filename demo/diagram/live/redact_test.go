package live

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func TestShown(t *testing.T) {
	const object = `apiVersion: v1
kind: Anything
metadata:
  name: x
  managedFields: [{manager: somebody}]
  annotations: {kubectl.kubernetes.io/last-applied-configuration: leak-1}
spec:
  url: https://me:leak-2@example.org/repo.git
  secretRef: {name: kept-1}
  address: https://hooks.example.org/services/leak-3
  token: leak-4
  values: {adminPassword: leak-5, replicas: 3, api-key: leak-6}
  env:
    - {name: GIT_PASSWORD, value: leak-7}
    - {name: COLOR, value: kept-2}
    - name: OTHER_TOKEN
      valueFrom: {secretKeyRef: {name: kept-3, key: kept-4}}
  inside: {address: http://inbox.fluxdemo.svc.cluster.local/kept-5}
status:
  message: "cannot clone https://me:leak-8@example.org/x"
`
	var o unstructured.Unstructured
	if err := yaml.Unmarshal([]byte(object), &o.Object); err != nil {
		t.Fatal(err)
	}
	got, err := shown(&o)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(got, "leak") || strings.Contains(got, "managedFields") || strings.Count(got, "kept-") != 5 || !strings.Contains(got, "replicas: 3") {
		t.Errorf("it shows\n%s", got)
	}
	if o.GetAnnotations() == nil {
		t.Error("the object itself was changed")
	}
}

func TestOnlyHook(t *testing.T) {
	secret := &corev1.Secret{Data: map[string][]byte{"password": []byte("leak"), hookKey: []byte("http://receiver/hook/abc")}}
	var o any = secret
	for range 2 { // the cache may do it again
		var err error
		if o, err = onlyHook(o); err != nil {
			t.Fatal(err)
		}
	}
	if kept := o.(*corev1.Secret); len(kept.Data) != 1 || string(kept.Data[hookKey]) != "/hook/abc" {
		t.Errorf("kept: %s", kept.Data)
	}
}
