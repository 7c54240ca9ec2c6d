package fleet

import (
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/fluxdemo/fluxdemo/manifests"
)

// TestSigns recognises the fleets of earlier versions, whose Provider does not sign.
func TestSigns(t *testing.T) {
	own, err := manifests.Fleet(manifests.Source{})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := keep(own, filepath.Join(t.TempDir(), BeginningFile)); err != nil {
		t.Fatal(err)
	} else if signs, err := b.Signs(); err != nil || !signs {
		t.Errorf("the fleet of this version: %v, %v", signs, err)
	}
	const provider = "kind: Provider\napiVersion: notification.toolkit.fluxcd.io/v1beta3\nmetadata: {name: inbox}\nspec: {type: "
	for name, c := range map[string]struct {
		text string
		want bool
	}{
		"no Provider":      {"kind: ConfigMap\napiVersion: v1\nmetadata: {name: x}\n", true},
		"not signed":       {provider + "generic}\n", false},
		"signed":           {provider + "generic-hmac}\n", true},
		"one among others": {"kind: ConfigMap\napiVersion: v1\nmetadata: {name: x}\n---\n" + provider + "generic}\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			files := content()
			files["clusters/demo/flux-system/notifications.yaml"] = &fstest.MapFile{Data: []byte(c.text)}
			b, err := keep(files, filepath.Join(t.TempDir(), BeginningFile))
			if err != nil {
				t.Fatal(err)
			}
			if signs, err := b.Signs(); err != nil || signs != c.want {
				t.Errorf("%v, %v", signs, err)
			}
		})
	}
}
