// Package pki creates the keys and certificates of an embedded cluster: a CA
// with a certificate for each component, a CA of its own for the API server as
// a proxy, and the service account key. It
// creates them once per cluster, in the cluster's folder with mode 0600. They
// are valid for ten years, because nothing renews them.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters/statefile"
)

// PKI is a folder of keys and certificates.
type PKI struct{ dir string }

// CAName is the name of the file with the CA's certificate.
const CAName = "ca.crt"

// CAFile is the path of the CA's certificate.
func (p PKI) CAFile() string { return filepath.Join(p.dir, CAName) }

// ProxyCAFile is the path of the certificate of the CA that signs for the API
// server as a proxy, and for nothing else: who shows such a certificate may
// say for whom it asks.
func (p PKI) ProxyCAFile() string { return p.CertFile(proxyCA) }

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
	Proxy             = "front-proxy-client"      // the API server towards APIs that it passes on
	ServiceAccount    = "service-account"         // signs tokens; a key only

	proxyCA = "front-proxy-ca"
)

// ProxyName is the common name in the certificate Proxy.
const ProxyName = "front-proxy-client"

// MetricsName is the name under which the node serves the metrics API.
const MetricsName = "metrics-server.kube-system.svc"

// caName is the common name in the CA's certificate.
const caName = "fluxdemo"

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
			DNSNames:    []string{"localhost", MetricsName},
			IPAddresses: []net.IP{loopback},
		},
		KubeletClient: {Subject: pkix.Name{CommonName: KubeletClientName}, ExtKeyUsage: client},
		Proxy:         {Subject: pkix.Name{CommonName: ProxyName}, ExtKeyUsage: client},
		Admin:         {Subject: pkix.Name{CommonName: "fluxdemo-admin", Organization: []string{"system:masters"}}, ExtKeyUsage: client},
		// It does what the service accounts of all controllers may do. Giving
		// each its own client costs memory, and rights that are bootstrapped
		// after the API answers cost time.
		ControllerManager: {Subject: pkix.Name{CommonName: "system:kube-controller-manager", Organization: []string{"system:masters"}}, ExtKeyUsage: client},
		Scheduler:         {Subject: pkix.Name{CommonName: "system:kube-scheduler"}, ExtKeyUsage: client},
	}
}

// Open returns the PKI in dir. It fails if a file of it is damaged or missing.
func Open(dir string) (PKI, error) {
	p := PKI{dir}
	return p, p.check()
}

// Ensure returns the PKI in dir, which it makes if there is none, or if a
// file of it is damaged or missing: the CA signs once, so one file alone
// cannot be replaced. The folder appears whole or not at all. Kubeconfigs of
// the old PKI have to be written anew.
func Ensure(dir string) (PKI, error) {
	p, err := Open(dir)
	if err == nil {
		return p, nil
	}
	work := dir + ".new"
	if err := os.RemoveAll(work); err != nil {
		return PKI{}, err
	}
	if err := os.MkdirAll(work, 0o700); err != nil {
		return PKI{}, err
	}
	err = create(PKI{work})
	if err == nil {
		err = statefile.SyncFolder(work)
	}
	if err != nil {
		return PKI{}, fmt.Errorf("creating the cluster's certificates: %w", err)
	}
	// What is there is of no use any more, so a crash before the next line
	// does no harm.
	if err := os.RemoveAll(dir); err != nil {
		return PKI{}, err
	}
	if err := os.Rename(work, dir); err != nil {
		return PKI{}, err
	}
	return p, statefile.SyncFolder(filepath.Dir(dir))
}

// IsCA reports whether a file holds the certificate of a CA that Ensure made.
func IsCA(content []byte) bool {
	block, _ := pem.Decode(content)
	if block == nil {
		return false
	}
	ca, err := x509.ParseCertificate(block.Bytes)
	return err == nil && ca.IsCA && ca.Subject.CommonName == caName
}

// check returns an error unless every file is there, and undamaged, and
// signed by the CA.
func (p PKI) check() error {
	own, err := pool(p.CAFile())
	if err != nil {
		return err
	}
	proxies, err := pool(p.ProxyCAFile())
	if err != nil {
		return err
	}
	for name, request := range requests() {
		roots := own
		if name == Proxy {
			roots = proxies
		}
		pair, err := tls.LoadX509KeyPair(p.CertFile(name), p.KeyFile(name))
		if err != nil {
			return err
		}
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: request.ExtKeyUsage}); err != nil {
			return err
		}
	}
	raw, err := os.ReadFile(p.KeyFile(ServiceAccount))
	if err != nil {
		return err
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return errors.New("the service accounts' key is damaged")
	}
	_, err = x509.ParseECPrivateKey(block.Bytes)
	return err
}

// pool returns the CA in a file.
func pool(file string) (*x509.CertPool, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !IsCA(raw) || !roots.AppendCertsFromPEM(raw) {
		return nil, fmt.Errorf("the CA in %s is damaged", file)
	}
	return roots, nil
}

func create(p PKI) error {
	own, ownKey, err := createCA(p.CAFile())
	if err != nil {
		return err
	}
	proxies, proxiesKey, err := createCA(p.ProxyCAFile())
	if err != nil {
		return err
	}
	for name, request := range requests() {
		ca, caKey := own, ownKey
		if name == Proxy {
			ca, caKey = proxies, proxiesKey
		}
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

func createCA(file string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // never written: nothing is signed later
	if err != nil {
		return nil, nil, err
	}
	ca := &x509.Certificate{
		Subject:               pkix.Name{CommonName: caName},
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	return ca, key, sign(file, ca, ca, key, key)
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
	return statefile.Write(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
