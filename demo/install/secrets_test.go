package install

import "testing"

func TestWebhookURL(t *testing.T) {
	const want = "http://webhook-receiver.flux-system.svc.cluster.local/hook/"
	got := webhookURL("token")
	if len(got) != len(want)+64 || got[:len(want)] != want {
		t.Errorf("got %s", got)
	}
	if got == webhookURL("other") {
		t.Error("another token has the same path")
	}
}
