package controlplane

import (
	"fmt"
	"os"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// ContextName is the name of the cluster and the context in each kubeconfig.
const ContextName = "fluxdemo"

// WriteKubeconfig writes a kubeconfig for the certificate called user to
// path, mode 0600. Certificates are embedded, so that the file works from
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
	// In one step: kubectl may be reading the old one.
	if err := os.WriteFile(path+".new", raw, 0o600); err != nil {
		return fmt.Errorf("writing a kubeconfig: %w", err)
	}
	return os.Rename(path+".new", path)
}
