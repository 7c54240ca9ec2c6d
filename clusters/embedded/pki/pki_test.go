package pki

import (
	"crypto/tls"
	"crypto/x509"
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
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		t.Fatal("the CA's file has no certificate")
	}
	for name, request := range requests() {
		pair, err := tls.LoadX509KeyPair(p.CertFile(name), p.KeyFile(name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: request.ExtKeyUsage}); err != nil {
			t.Errorf("%s: %v", name, err)
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
