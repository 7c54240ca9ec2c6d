// Package pki makes the keys and certificates of an embedded cluster: one
// CA, a certificate for each component, and the service account key. All are
// made once per cluster, stay in its folder with mode 0600 and are good for
// ten years, as a demo has nobody who renews them.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// PKI is a folder of keys and certificates.
type PKI struct{ dir string }

// CAFile is the path of the CA's certificate.
func (p PKI) CAFile() string { return filepath.Join(p.dir, "ca.crt") }

// CertFile is the path of the certificate called name.
func (p PKI) CertFile(name string) string { return filepath.Join(p.dir, name+".crt") }

// KeyFile is the path of the private key called name.
func (p PKI) KeyFile(name string) string { return filepath.Join(p.dir, name+".key") }

// Names of the certificates and keys.
const (
	APIServer         = "kube-apiserver"          // serves the API
	KubeletClient     = "kubelet-client"          // the API server towards the node
	Node              = "node"                    // serves the node's kubelet API
	Admin             = "admin"                   // the user's kubeconfig
	ControllerManager = "kube-controller-manager" // towards the API
	Scheduler         = "kube-scheduler"          // towards the API
	ServiceAccount    = "service-account"         // signs tokens; a key only
)

// KubeletClientName is the common name in the certificate that the API server
// shows to the node.
const KubeletClientName = "kube-apiserver-kubelet-client"

// requests returns the certificates by name, with who they are and what for.
func requests() map[string]x509.Certificate {
	client := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	server := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	loopback := net.IPv4(127, 0, 0, 1)
	return map[string]x509.Certificate{
		APIServer: {
			Subject:     pkix.Name{CommonName: "kube-apiserver"},
			ExtKeyUsage: server,
			DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
			IPAddresses: []net.IP{loopback, net.IPv4(10, 96, 0, 1)},
		},
		Node: {
			Subject:     pkix.Name{CommonName: "system:node:fluxdemo", Organization: []string{"system:nodes"}},
			ExtKeyUsage: server,
			DNSNames:    []string{"localhost"},
			IPAddresses: []net.IP{loopback},
		},
		KubeletClient: {Subject: pkix.Name{CommonName: KubeletClientName}, ExtKeyUsage: client},
		Admin:         {Subject: pkix.Name{CommonName: "fluxdemo-admin", Organization: []string{"system:masters"}}, ExtKeyUsage: client},
		// It does what the service accounts of all controllers may do. Giving
		// each its own client costs memory, and rights that are bootstrapped
		// after the API answers cost time.
		ControllerManager: {Subject: pkix.Name{CommonName: "system:kube-controller-manager", Organization: []string{"system:masters"}}, ExtKeyUsage: client},
		Scheduler:         {Subject: pkix.Name{CommonName: "system:kube-scheduler"}, ExtKeyUsage: client},
	}
}

// Ensure returns the PKI in dir, which it makes if dir does not exist. A
// folder appears whole or not at all.
func Ensure(dir string) (PKI, error) {
	if _, err := os.Stat(dir); err == nil {
		return PKI{dir}, nil
	}
	work := dir + ".new"
	if err := os.RemoveAll(work); err != nil {
		return PKI{}, err
	}
	if err := os.MkdirAll(work, 0o700); err != nil {
		return PKI{}, err
	}
	if err := create(PKI{work}); err != nil {
		return PKI{}, fmt.Errorf("making the cluster's certificates: %w", err)
	}
	if err := os.Rename(work, dir); err != nil {
		return PKI{}, err
	}
	return PKI{dir}, nil
}

func create(p PKI) error {
	ca, caKey, err := createCA(p)
	if err != nil {
		return err
	}
	for name, request := range requests() {
		key, err := createKey(p.KeyFile(name))
		if err != nil {
			return err
		}
		request.KeyUsage = x509.KeyUsageDigitalSignature
		if err := sign(p.CertFile(name), &request, ca, key, caKey); err != nil {
			return err
		}
	}
	_, err = createKey(p.KeyFile(ServiceAccount))
	return err
}

func createCA(p PKI) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // never written: nobody signs later
	if err != nil {
		return nil, nil, err
	}
	ca := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "fluxdemo"},
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	return ca, key, sign(p.CAFile(), ca, ca, key, key)
}

func createKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writePEM(path, "EC PRIVATE KEY", der)
}

func sign(path string, request, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) error {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	request.SerialNumber = serial
	request.NotBefore = time.Now().Add(-time.Hour) // a clock that is set back a little must not break the cluster
	request.NotAfter = time.Now().AddDate(10, 0, 0)
	der, err := x509.CreateCertificate(rand.Reader, request, parent, &key.PublicKey, parentKey)
	if err != nil {
		return err
	}
	return writePEM(path, "CERTIFICATE", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
