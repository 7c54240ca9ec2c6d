package gitapi

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestCheckName(t *testing.T) {
	for _, name := range []string{"fleet", "a", "My-Apps_2.0", strings.Repeat("n", 64)} {
		if err := CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for name, want := range map[string]string{
		"": "not a valid name", "a/b": "not a valid name", "..": "not a valid name", "a..b": "not a valid name", "-": "not a valid name", ".x": "not a valid name",
		"x-": "not a valid name", "ä": "not a valid name", "a b": "not a valid name", "a\n": "not a valid name", "x.git": "ending", "x.LOCK": "ending",
		"API": "of its own", "events": "of its own", strings.Repeat("n", 65): "at most 64",
	} {
		if err := CheckName(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestClientErrors says what is wrong, and never the password.
func TestClientErrors(t *testing.T) {
	old := httptest.NewServer(http.NotFoundHandler())
	defer old.Close()
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }))
	defer broken.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for address, want := range map[string]string{
		old.URL: "fluxdemo up", broken.URL: "reading the answer", gone.URL: "fluxdemo status", "fleet.git": "not the address", "http://%zz": "not the address",
	} {
		c := Client{Address: address, User: "demo", Password: "hunter2"}
		_, err := c.Create(t.Context(), "x")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", address, err)
		}
		if address == old.URL && !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %v is not ErrUnknown", address, err)
		}
	}
}
