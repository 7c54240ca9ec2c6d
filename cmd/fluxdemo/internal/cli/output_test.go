package cli

import (
	"bytes"
	"encoding/json"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/fluxdemo/fluxdemo/demo/plaintext"
)

// TestExact holds that values survive both formats, and that a terminal obeys nothing in them.
func TestExact(t *testing.T) {
	for name, message := range map[string]string{
		"text":    "Grüße <&> \"quoted\"\n✓",
		"hostile": "\x1b[2J\x1b]0;x\a \u009b \u202e \u2028 \U000e0041 \x7f",
	} {
		value := map[string]string{"message": message}
		for format, write := range map[string]struct {
			write func(out *bytes.Buffer) error
			read  func([]byte, *map[string]string) error
		}{
			"json": {func(out *bytes.Buffer) error { return WriteJSON(out, value) }, func(raw []byte, v *map[string]string) error { return json.Unmarshal(raw, v) }},
			"yaml": {func(out *bytes.Buffer) error { return WriteYAML(out, value) }, func(raw []byte, v *map[string]string) error { return yaml.Unmarshal(raw, v) }},
		} {
			var out bytes.Buffer
			if err := write.write(&out); err != nil {
				t.Fatal(err)
			}
			if clean := plaintext.Coloured(out.String()); clean != out.String() {
				t.Errorf("%s, %s: %q is %q on a terminal", name, format, out.String(), clean)
			}
			var back map[string]string
			if err := write.read(out.Bytes(), &back); err != nil || back["message"] != message {
				t.Errorf("%s, %s: %q, %v", name, format, back["message"], err)
			}
		}
	}
}
