package object

import (
	"slices"
	"testing"
)

func TestDocuments(t *testing.T) {
	var got []string
	for _, d := range Documents([]byte("kind: A\nmetadata:\n  name: first\n---\n# nothing\n---\nkind: [\n---\n- 1\n---\nkind: B\nmetadata:\n  namespace: ns\n")) {
		what := d.Meta.Kind + " " + d.Meta.Namespace + "/" + d.Meta.Name
		if d.Err != nil {
			what = "error"
		}
		got = append(got, what+": "+string(d.Raw))
	}
	want := []string{
		"A /first: kind: A\nmetadata:\n  name: first\n", " /: # nothing\n", "error: kind: [\n", "error: - 1\n", "B ns/: kind: B\nmetadata:\n  namespace: ns\n",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if all := Documents([]byte("kind: A\n--- {kind: B}\n---\nkind: C\n")); len(all) == 0 || all[len(all)-1].Err == nil || all[len(all)-1].Raw != nil {
		t.Errorf("a file that cannot be split to its end: %+v", all)
	}
	if all := Documents([]byte("{\"kind\":\"A\"}\n\t{\"kind\": \"B\"}")); len(all) != 2 || all[1].Meta.Kind != "B" {
		t.Errorf("JSON: %+v", all)
	}
	if all := Documents(nil); len(all) > 0 {
		t.Errorf("an empty file has %d", len(all))
	}
}
