package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fluxdemo/fluxdemo/clusters/statefile"
)

// Settings is what a cluster keeps over restarts: what the user chose and
// the ports that were found for it, so that URLs stay the same.
type Settings struct {
	Block       int    `json:"block,omitempty"` // first of the ports that the cluster has for itself; 0 in those of earlier versions
	Port        int    `json:"port"`            // of the API server on 127.0.0.1
	ProxyPort   int    `json:"proxyPort"`       // of the pods' proxy on 127.0.0.1
	NodePorts   string `json:"nodePorts"`       // range for Services, "30010-30099"
	AllowEgress bool   `json:"allowEgress"`     // pods may reach the world
	FixedPort   bool   `json:"fixedPort"`       // the user chose Port
}

// SettingsFile is the name of the settings in the cluster's folder.
const SettingsFile = "cluster.json"

// LoadSettings reads the settings of the cluster in dir. A cluster that was
// never started has none: the error is fs.ErrNotExist then.
func LoadSettings(dir string) (Settings, error) {
	raw, err := os.ReadFile(filepath.Join(dir, SettingsFile))
	if err != nil {
		return Settings{}, err
	}
	s, err := ParseSettings(raw)
	if err != nil {
		return s, fmt.Errorf("%s in %s is damaged: %w; `fluxdemo down --name %s` removes the cluster", SettingsFile, dir, err, filepath.Base(dir))
	}
	return s, nil
}

// ParseSettings reads the content of SettingsFile.
func ParseSettings(raw []byte) (Settings, error) {
	var s Settings
	if err := json.Unmarshal(raw, &s); err != nil {
		return Settings{}, err
	}
	if s.firstNodePort() == 0 || s.Port == 0 || s.ProxyPort == 0 {
		return Settings{}, errors.New("ports are missing")
	}
	return s, nil
}

// firstNodePort is the start of the range for Services, or 0 without one.
func (s Settings) firstNodePort() int {
	var first, last int
	if _, err := fmt.Sscanf(s.NodePorts, "%d-%d", &first, &last); err != nil {
		return 0
	}
	return first
}

// save writes the settings in one step.
func (s Settings) save(dir string) error {
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return statefile.Write(filepath.Join(dir, SettingsFile), append(raw, '\n'), 0o600)
}

// otherSettings returns the settings of the clusters beside the one in dir.
func otherSettings(dir string) []Settings {
	entries, err := os.ReadDir(filepath.Dir(dir))
	if err != nil {
		return nil
	}
	var others []Settings
	for _, entry := range entries {
		if entry.Name() == filepath.Base(dir) {
			continue
		}
		if s, err := LoadSettings(filepath.Join(filepath.Dir(dir), entry.Name())); err == nil {
			others = append(others, s)
		}
	}
	return others
}
