package network

import (
	"net/http"
	"strings"
	"testing"
)

func TestSecret(t *testing.T) {
	c := one(t, says("page"))
	other := prepare(t, long, nil)
	t.Cleanup(func() { other.proxyLn.Close(); other.sockLn.Close() })
	if c.secret == other.secret || len(c.secret) < 26 {
		t.Fatalf("the secrets of two runs: %q, %q", c.secret, other.secret)
	}
	const connect = "CONNECT git.fluxdemo.svc.cluster.local:80 HTTP/1.1\r\nHost: x\r\n"
	const get = "GET " + gitURL + "/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
	const egress = "GET http://example.com/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
	for name, test := range map[string]struct {
		login string // "-": none
		want  int
	}{
		"none":          {"-", http.StatusProxyAuthRequired},
		"empty":         {"", http.StatusProxyAuthRequired},
		"no password":   {basicAuth(proxyUser, ""), http.StatusProxyAuthRequired},
		"another run's": {basicAuth(proxyUser, other.secret), http.StatusProxyAuthRequired},
		"too short":     {basicAuth(proxyUser, c.secret[:len(c.secret)-1]), http.StatusProxyAuthRequired},
		"another user":  {basicAuth("me", c.secret), http.StatusProxyAuthRequired},
		"the secret":    {basicAuth(proxyUser, c.secret), http.StatusOK},
	} {
		for _, text := range []string{connect, get, egress} {
			t.Run(name+" "+text[:7], func(t *testing.T) {
				want := test.want
				if text == egress && want == http.StatusOK {
					want = http.StatusForbidden // what only the pods learn
				}
				if test.login != "-" {
					text += "Proxy-Authorization: " + test.login + "\r\n"
				}
				_, reader := c.stranger(t, text+"\r\n")
				answer, err := http.ReadResponse(reader, nil)
				if err != nil || answer.StatusCode != want {
					t.Fatalf("got %v, %v; want %d", answer, err, want)
				}
				if asks := answer.Header.Get("Proxy-Authenticate") != ""; asks != (want == http.StatusProxyAuthRequired) {
					t.Errorf("Proxy-Authenticate: %q", answer.Header.Get("Proxy-Authenticate"))
				}
			})
		}
	}
	for _, line := range c.logs {
		if strings.Contains(line, c.secret) {
			t.Errorf("the log has the secret: %s", line)
		}
	}
}

// TestSecretStays looks for the secret in what Services receive: as a request,
// as an upgrade, and beyond the cluster.
func TestSecretStays(t *testing.T) {
	noProxyEnv(t)
	got := make(chan http.Header, 1)
	record := func(w http.ResponseWriter, r *http.Request) { got <- r.Header }
	c := prepare(t, long, func(cfg *Config) { cfg.AllowEgress = true }, service("git"), slice("git", endpoint{"10.0.0.1", true}))
	c.serve("10.0.0.1", 8080, backend(t, record))
	c.run(t)
	for name, test := range map[string]struct{ address, more string }{
		"Service": {gitURL + "/", ""},
		"upgrade": {gitURL + "/", "Connection: Upgrade\r\nUpgrade: websocket\r\n"},
		"kept":    {gitURL + "/", "Connection: Proxy-Authorization, close\r\n"},
		"egress":  {"http://" + backend(t, record) + "/", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c.raw(t, "GET "+test.address+" HTTP/1.1\r\nHost: x\r\n"+test.more+"\r\n")
			header := <-got
			if value, there := header["Proxy-Authorization"]; there {
				t.Errorf("the server receives %q", value)
			}
		})
	}
}
