package kramdown

import (
	"reflect"
	"testing"
)

func TestParseAttrs(t *testing.T) {
	for text, want := range map[string][]Attr{
		`{: width="60" .a.b #c }`:     {{"width", "60", 3}, {"class", "a b", 14}, {"id", "c", 19}},
		`{:lang=go}`:                  {{"lang", "go", 2}},
		`{: title='two  words'}`:      {{"title", "two words", 3}},
		`{: a=\} named}`:              {{"a", "}", 3}, {"", "named", 8}},
		"{: alt=\"over\ntwo lines\"}": {{"alt", "over two lines", 3}},
		"{: }":                        nil,
	} {
		if end := attrEnd([]byte(text)); end != len(text) {
			t.Errorf("%s: ends at %d of %d", text, end, len(text))
		}
		if got := ParseAttrs([]byte(text)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
	for _, text := range []string{"{:", "{: a", "{:: a}", "{:/a}", "{: a\n\nb}", `{: "}`, "a"} {
		if end := attrEnd([]byte(text)); end != 0 {
			t.Errorf("%q: a list of %d bytes", text, end)
		}
	}
}
