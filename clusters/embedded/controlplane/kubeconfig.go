package controlplane

import (
	"bytes"
	"fmt"
	"os"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/fluxdemo/fluxdemo/clusters/statefile"
)

// ContextName is the name of the cluster and the context in each kubeconfig.
const ContextName = "fluxdemo"

// WriteKubeconfig writes a kubeconfig for the certificate called user to
// path, mode 0600, unless it is there. Certificates are embedded, so that the file works from
// anywhere.
func (c Config) WriteKubeconfig(path, user string) error {
	ca, err := os.ReadFile(c.PKI.CAFile())
	if err != nil {
		return fmt.Errorf("writing a kubeconfig: %w", err)
	}
	cert, err := os.ReadFile(c.PKI.CertFile(user))
	if err != nil {
		return fmt.Errorf("writing a kubeconfig: %w", err)
	}
	key, err := os.ReadFile(c.PKI.KeyFile(user))
	if err != nil {
		return fmt.Errorf("writing a kubeconfig: %w", err)
	}
	config := clientcmdapi.NewConfig()
	config.Clusters[ContextName] = &clientcmdapi.Cluster{Server: c.Server(), CertificateAuthorityData: ca}
	config.AuthInfos[user] = &clientcmdapi.AuthInfo{ClientCertificateData: cert, ClientKeyData: key}
	config.Contexts[ContextName] = &clientcmdapi.Context{Cluster: ContextName, AuthInfo: user}
	config.CurrentContext = ContextName
	raw, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("writing a kubeconfig: %w", err)
	}
	if before, err := os.ReadFile(path); err == nil && bytes.Equal(before, raw) {
		return nil
	}
	if err := statefile.Write(path, raw, 0o600); err != nil { // kubectl may be reading the old one
		return fmt.Errorf("writing a kubeconfig: %w", err)
	}
	return nil
}
