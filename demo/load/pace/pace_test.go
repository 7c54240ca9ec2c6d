package pace

import (
	"strings"
	"testing"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"k8s.io/apimachinery/pkg/types"
)

// TestPace goes through a sequence, second by second: what is waiting then, and how
// long what has ended took.
func TestPace(t *testing.T) {
	p := New(types.NamespacedName{Namespace: "flux-system", Name: "apps"})
	start := time.Unix(1_000_000, 0)
	at := func(second int) time.Time { return start.Add(time.Duration(second) * time.Second) }
	k := &kustomizev1.Kustomization{}
	expect := func(second int, waiting bool, took int) {
		t.Helper()
		w, ok, _ := p.Last()
		if ok && w.Answered.IsZero() != waiting || !ok && waiting {
			t.Errorf("second %d: waiting is %t, want %t", second, !waiting, waiting)
		}
		if ok && w.Took(at(second)) != time.Duration(took)*time.Second {
			t.Errorf("second %d: %s, want %d s", second, w.Took(at(second)), took)
		}
	}

	k.Status.LastAttemptedRevision = "main@sha1:a"
	p.see(k, at(0))
	p.seeSource("main@sha1:a", at(0))
	expect(0, false, 0)
	_, _, changed := p.Last()
	p.seeSource("main@sha1:b", at(10)) // a push
	select {
	case <-changed:
	default:
		t.Error("no change is sent for the wait")
	}
	expect(12, true, 2)
	k.Status.LastAttemptedRevision = "main@sha1:b"
	p.see(k, at(14))
	expect(20, false, 4)
	k.Annotations = map[string]string{"reconcile.fluxcd.io/requestedAt": "now"} // a request
	p.see(k, at(30))
	expect(31, true, 1)
	p.seeSource("main@sha1:c", at(35)) // and a push while it waits: one wait
	k.Status.LastHandledReconcileAt = "now"
	p.see(k, at(40))
	expect(41, true, 11)
	k.Spec.Suspend = true // who is suspended does not wait
	p.see(k, at(60))
	expect(61, false, 30)

	if sum := p.Percentiles(); sum.Count != 2 || sum.Max < 29.9 || sum.Max > 30.1 {
		t.Errorf("%+v", sum)
	}
	if line := p.Line(at(61), 61, 30*time.Second); !strings.HasPrefix(line, "▁▁▁▁▁▁▁▁▁▁▁▁▁▂▂▁") || !strings.Contains(line, "█") {
		t.Errorf("the line: %s", line)
	}
	charts := p.Charts(at(61), 5*time.Second)
	if len(charts) != 2 || charts[0].Limit != 5 || !strings.Contains(charts[0].SVG(400, 200), "SLO 5s") {
		t.Errorf("%+v", charts)
	}
	highest := 0.0
	last := -1.0
	for _, point := range charts[0].Series[0].Points {
		if point.At < last {
			t.Errorf("time goes back at %v", point)
		}
		highest, last = max(highest, point.Value), point.At
	}
	if highest != 30 {
		t.Errorf("the longest is %v s", highest)
	}
}
