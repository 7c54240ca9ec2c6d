package existing

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/fluxdemo/fluxdemo/clusters"
)

// inventoryFile lists the objects that were created on the cluster, one JSON
// object a line, in that order.
func (c *Cluster) inventoryFile() string { return filepath.Join(c.dir, "inventory.jsonl") }

// Creating implements clusters.Recorder. It returns when the record is on
// disk: what was created and not recorded would stay on the cluster.
func (c *Cluster) Creating(objects ...clusters.Object) error {
	var lines bytes.Buffer
	for _, object := range objects {
		raw, err := json.Marshal(object)
		if err != nil {
			return err
		}
		lines.Write(append(raw, '\n'))
	}
	file, err := os.OpenFile(c.inventoryFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("recording what is created: %w", err)
	}
	defer file.Close()
	// One write, so that lines of several writers do not mix.
	if _, err := file.Write(lines.Bytes()); err != nil {
		return fmt.Errorf("recording what is created: %w", err)
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("recording what is created: %w", err)
	}
	return nil
}

// Inventory returns the objects that were created on the cluster, the first
// one first, each once. What has gone since is among them.
func (c *Cluster) Inventory() ([]clusters.Object, error) {
	raw, err := os.ReadFile(c.inventoryFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading what was created: %w", err)
	}
	return parseInventory(raw)
}

func parseInventory(raw []byte) ([]clusters.Object, error) {
	var objects []clusters.Object
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for number := 1; lines.Scan(); number++ {
		var object clusters.Object
		if err := json.Unmarshal(lines.Bytes(), &object); err != nil {
			// The last line may have been cut off, before its object was created.
			if !bytes.HasSuffix(raw, []byte("\n")) && !lines.Scan() {
				break
			}
			return nil, fmt.Errorf("reading what was created: line %d: %w", number, err)
		}
		if !slices.Contains(objects, object) {
			objects = append(objects, object)
		}
	}
	return objects, lines.Err()
}
