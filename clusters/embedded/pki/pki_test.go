package pki

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestEnsure(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	p, err := Ensure(dir)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(p.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	own, err := pool(p.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	proxies, err := pool(p.ProxyCAFile())
	if err != nil {
		t.Fatal(err)
	}
	for name, request := range requests() {
		signer, other := own, proxies
		if name == Proxy {
			signer, other = proxies, own
		}
		pair, err := tls.LoadX509KeyPair(p.CertFile(name), p.KeyFile(name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: signer, KeyUsages: request.ExtKeyUsage}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: other, KeyUsages: request.ExtKeyUsage}); err == nil {
			t.Errorf("%s counts as signed by the other CA", name)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, want 0600", entry.Name(), info.Mode())
		}
	}

	again, err := Ensure(dir)
	if err != nil {
		t.Fatal(err)
	}
	if ca2, err := os.ReadFile(again.CAFile()); err != nil || string(ca2) != string(ca) {
		t.Errorf("a second Ensure changed the CA (%v)", err)
	}
}

// TestEnsureDamaged damages each file in turn: all are made anew then, and
// left alone if none is damaged.
func TestEnsureDamaged(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	if _, err := Ensure(dir); err != nil {
		t.Fatal(err)
	}
	whole := read(t, dir)
	if len(whole) != 17 {
		t.Fatalf("%d files", len(whole))
	}
	for name, content := range whole {
		damages := map[string][]byte{"empty": nil, "garbage": []byte("garbage"), "zeros": make([]byte, len(content))}
		for _, cut := range []int{1, len(content) / 2, len(content) - 10} {
			damages[fmt.Sprintf("cut at %d", cut)] = content[:cut]
		}
		for kind, damage := range damages {
			if err := os.WriteFile(filepath.Join(dir, name), damage, 0o600); err != nil {
				t.Fatal(err)
			}
			if (PKI{dir}).check() == nil {
				t.Errorf("%s, %s: it is taken for whole", name, kind)
			}
		}
		if p, err := Ensure(dir); err != nil || p.check() != nil {
			t.Fatalf("%s, damaged: %v, %v", name, err, p.check())
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if (PKI{dir}).check() == nil {
			t.Errorf("%s, removed: it is taken for whole", name)
		}
	}
	if entries, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(entries) != 1 {
		t.Errorf("it leaves %v, %v", entries, err)
	}
}

// TestEnsureCut cuts a certificate and a key at every length: none but the
// whole one is taken.
func TestEnsureCut(t *testing.T) {
	p, err := Ensure(filepath.Join(t.TempDir(), "pki"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{p.CAFile(), p.CertFile(Admin), p.KeyFile(Admin), p.KeyFile(ServiceAccount)} {
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for cut := range len(whole) + 1 {
			if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
				t.Fatal(err)
			}
			// Without the last newline, nothing is missing.
			if err := p.check(); (err == nil) != (cut >= len(whole)-1) {
				t.Errorf("%s cut at %d of %d: %v", path, cut, len(whole), err)
			}
		}
	}
}

func read(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, entry := range entries {
		if all[entry.Name()], err = os.ReadFile(filepath.Join(dir, entry.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return all
}
