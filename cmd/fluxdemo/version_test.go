package main

import "testing"

func TestModuleVersion(t *testing.T) {
	for in, want := range map[string]string{
		"v0.0.0-20261128011807-0d36794ff819":        "0d36794",
		"v0.0.0-20261128011807-0d36794ff819+dirty":  "0d36794-dirty",
		"v1.2.4-0.20261128011807-0d36794ff819":      "0d36794",
		"v1.3.0-rc.1.0.20261128011807-0d36794ff819": "0d36794",
		"v1.2.3":       "v1.2.3",
		"v1.2.3+dirty": "v1.2.3+dirty",
		"v1.2.3-rc.1":  "v1.2.3-rc.1",
	} {
		if got := moduleVersion(in); got != want {
			t.Errorf("moduleVersion(%q) = %q, wanted %q", in, got, want)
		}
	}
}
