package podspec

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestExpand(t *testing.T) {
	values := map[string]string{"A": "one", "B_C": "two", "EMPTY": ""}
	for in, want := range map[string]string{
		"plain":            "plain",
		"$(A)":             "one",
		"--x=$(A)/$(B_C)/": "--x=one/two/",
		"$$(A)":            "$(A)",
		"$$$(A)":           "$one",
		"$(UNSET)-$(A)":    "$(UNSET)-one",
		"[$(EMPTY)]":       "[]",
		"$(A":              "$(A",
		"cost $5 $":        "cost $5 $",
	} {
		if got := expand(in, values); got != want {
			t.Errorf("expand(%q) = %q, want %q", in, got, want)
		}
	}
}

func yes() *bool { v := true; return &v }

func TestContainerEnv(t *testing.T) {
	object := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web-1", Namespace: "app", UID: "u1", Labels: map[string]string{"tier": "front"}},
		Spec:       corev1.PodSpec{NodeName: "n1", ServiceAccountName: "robot"},
		Status:     corev1.PodStatus{PodIP: "10.244.0.9", HostIP: "127.0.0.1"},
	}
	find := func(kind, name string) (map[string][]byte, bool) {
		switch kind + "/" + name {
		case "configmap/settings":
			return map[string][]byte{"COLOR": []byte("blue"), "SIZE": []byte("9")}, true
		case "secret/login":
			return map[string][]byte{"password": []byte("s3cret")}, true
		}
		return nil, false
	}
	field := func(path string) *corev1.EnvVarSource {
		return &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: path}}
	}
	limit := func(name, divisor string) *corev1.EnvVarSource {
		return &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: name, Divisor: resource.MustParse(divisor)}}
	}
	configRef := func(name string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: name} }
	tests := map[string]struct {
		container corev1.Container
		want      []string
		missing   bool
	}{
		"values refer to earlier ones": {
			container: corev1.Container{Env: []corev1.EnvVar{{Name: "A", Value: "1"}, {Name: "B", Value: "$(A)2$(C)"}, {Name: "C", Value: "3"}}},
			want:      []string{"A=1", "B=12$(C)", "C=3"},
		},
		"fields": {
			container: corev1.Container{Env: []corev1.EnvVar{
				{Name: "NS", ValueFrom: field("metadata.namespace")}, {Name: "TIER", ValueFrom: field("metadata.labels['tier']")},
				{Name: "IP", ValueFrom: field("status.podIP")}, {Name: "SA", ValueFrom: field("spec.serviceAccountName")},
			}},
			want: []string{"NS=app", "TIER=front", "IP=10.244.0.9", "SA=robot"},
		},
		"resources": {
			container: corev1.Container{
				Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{
					corev1.ResourceMemory: resource.MustParse("1Gi"), corev1.ResourceCPU: resource.MustParse("1500m"),
				}},
				Env: []corev1.EnvVar{
					{Name: "MEM", ValueFrom: limit("limits.memory", "0")}, {Name: "MIB", ValueFrom: limit("limits.memory", "1Mi")},
					{Name: "CPU", ValueFrom: limit("limits.cpu", "0")}, {Name: "MILLI", ValueFrom: limit("limits.cpu", "1m")},
				},
			},
			want: []string{"MEM=1073741824", "MIB=1024", "CPU=2", "MILLI=1500"},
		},
		"no limit means the machine's": {
			container: corev1.Container{Env: []corev1.EnvVar{{Name: "CPU", ValueFrom: limit("limits.cpu", "0")}}},
			want:      []string{"CPU=3"},
		},
		"config map and secret": {
			container: corev1.Container{
				EnvFrom: []corev1.EnvFromSource{{Prefix: "APP_", ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: configRef("settings")}}},
				Env: []corev1.EnvVar{
					{Name: "APP_SIZE", Value: "10"},
					{Name: "PASS", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: configRef("login"), Key: "password"}}},
				},
			},
			want: []string{"APP_COLOR=blue", "APP_SIZE=10", "PASS=s3cret"},
		},
		"optional and absent": {
			container: corev1.Container{
				EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: configRef("nope"), Optional: yes()}}},
				Env: []corev1.EnvVar{
					{Name: "X", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: configRef("settings"), Key: "nope", Optional: yes()}}},
				},
			},
			want: []string{},
		},
		"absent object": {
			container: corev1.Container{EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: configRef("nope")}}}},
			missing:   true,
		},
		"absent key": {
			container: corev1.Container{Env: []corev1.EnvVar{
				{Name: "X", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: configRef("settings"), Key: "nope"}}},
			}},
			missing: true,
		},
	}
	machine := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("3")}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			env, err := Variables(object, &test.container, find, machine)
			if IsMissing(err) != test.missing || (err != nil) != test.missing {
				t.Fatalf("error %v, want missing: %v", err, test.missing)
			}
			if err == nil && !slices.Equal(env.List(), test.want) {
				t.Errorf("got %q, want %q", env.List(), test.want)
			}
		})
	}
	if _, err := Variables(object, &corev1.Container{Env: []corev1.EnvVar{{Name: "X", ValueFrom: field("spec.nonsense")}}}, find, nil); err == nil || IsMissing(err) {
		t.Errorf("an unknown field gave %v", err)
	}
}

func TestRewrite(t *testing.T) {
	ms := NewMounts([]Mount{{"/data", "/host/data"}, {"/data/cache/", "/host/cache"}, {"/tmp", "/host/tmp"}, {"/etc/app.conf", "/host/conf"}})
	for in, want := range map[string]string{
		"/data":                     "/host/data",
		"/data/":                    "/host/data",
		"/data/x/y":                 "/host/data/x/y",
		"/data/cache/z":             "/host/cache/z",
		"/database":                 "/database",
		"--storage-path=/data":      "--storage-path=/host/data",
		"--file=/etc/app.conf":      "--file=/host/conf",
		"/tmp/.sigstore":            "/host/tmp/.sigstore",
		"x/data":                    "x/data",
		"--url=http://example/data": "--url=http://example/data",
		"":                          "",
	} {
		if got := ms.Rewrite(in); got != want {
			t.Errorf("rewrite(%q) = %q, want %q", in, got, want)
		}
	}
}
