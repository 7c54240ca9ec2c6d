package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters/statefile"
)

// Settings is what a cluster keeps over restarts: what the user chose and
// the ports that were found for it, so that URLs stay the same.
type Settings struct {
	Port        int    `json:"port"`        // of the API server on 127.0.0.1
	ProxyPort   int    `json:"proxyPort"`   // of the pods' proxy on 127.0.0.1
	NodePorts   string `json:"nodePorts"`   // range for Services, "30000-30099"
	AllowEgress bool   `json:"allowEgress"` // pods may reach the world
	FixedPort   bool   `json:"fixedPort"`   // the user chose Port
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
	var first, last int
	if _, err := fmt.Sscanf(s.NodePorts, "%d-%d", &first, &last); err != nil || s.Port == 0 || s.ProxyPort == 0 {
		return Settings{}, errors.New("ports are missing")
	}
	return s, nil
}

// save writes the settings in one step.
func (s Settings) save(dir string) error {
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return statefile.Write(filepath.Join(dir, SettingsFile), append(raw, '\n'), 0o600)
}

// findPorts fills in the ports that are not known yet or are taken by now.
// others are the settings of the other clusters of this user.
func (s *Settings) findPorts(others []Settings) error {
	if s.NodePorts != "" { // there was a last time
		awaitFree(s.Port, s.ProxyPort)
	}
	if s.FixedPort && !portFree(s.Port) {
		return fmt.Errorf("port %d is in use; free it or choose another with --port", s.Port)
	}
	for _, port := range []*int{&s.Port, &s.ProxyPort} {
		if *port != 0 && portFree(*port) {
			continue
		}
		free, err := freePort()
		if err != nil {
			return err
		}
		*port = free
	}
	if s.NodePorts != "" {
		return nil
	}
	taken := map[string]bool{}
	for _, other := range others {
		taken[other.NodePorts] = true
	}
	// The range that Kubernetes uses by default, in blocks of 100: Services
	// of two clusters never want the same port.
	for first := 30000; first < 32700; first += 100 {
		block := fmt.Sprintf("%d-%d", first, first+99)
		if !taken[block] && blockFree(first, 100) {
			s.NodePorts = block
			return nil
		}
	}
	return fmt.Errorf("no block of 100 free ports between 30000 and 32699 for NodePort Services; `fluxdemo down` clusters that you no longer need")
}

// awaitFree gives the processes of last time up to two seconds to let go of
// their ports: after a crash of the supervisor they may just be ending. The
// end of other parents' processes cannot be watched.
func awaitFree(ports ...int) {
	limit := time.NewTimer(2 * time.Second)
	defer limit.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for _, port := range ports {
		for !portFree(port) {
			select {
			case <-tick.C:
			case <-limit.C:
				return
			}
		}
	}
}

func portFree(port int) bool {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	listener.Close()
	return true
}

// blockFree tells whether n ports from first on are free.
func blockFree(first, n int) bool {
	for port := first; port < first+n; port++ {
		if !portFree(port) {
			return false
		}
	}
	return true
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("looking for a free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
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
