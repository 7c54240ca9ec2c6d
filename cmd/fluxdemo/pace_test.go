package main

import (
	"os"
	"regexp"
	"testing"
)

// TestPace follows the app while it is reconciled.
func TestPace(t *testing.T) {
	d := sharedDemo(t)
	for _, bad := range [][]string{{"--slo=0s"}, {"a", "b"}} {
		if r := d.fluxdemo(append([]string{"pace"}, bad...)...); r.code != exitUsage {
			t.Errorf("%v", r)
		}
	}
	if r := d.fluxdemo("pace", "nobody"); r.code != exitFailure || !regexp.MustCompile(`no Kustomization "nobody" .*; valid values: apps, flux-system`).MatchString(r.stderr) {
		t.Errorf("%v", r)
	}
	// It says so when it follows: what is asked before that is not seen.
	r := watched(t, d, []string{"pace", "apps", "--slo=30s", "--once"}, "Following apps", func(*os.Process) error {
		d.kubectl(t, "-n", "flux-system", "annotate", "kustomization", "apps", "--overwrite", "reconcile.fluxcd.io/requestedAt=pace-test")
		return nil
	})
	if r.code != 0 || !regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d ✓ apps waited \d+\.\d s \(p50 .*, p99 .* of 1; SLO 30s\)$`).MatchString(r.stderr) {
		t.Errorf("%v", r)
	}
}
