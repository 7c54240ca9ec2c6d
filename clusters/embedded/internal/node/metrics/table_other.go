//go:build !linux

package metrics

import "errors"

// readTable measures nothing: this system has no /proc.
func readTable() (table, error) {
	return table{}, errors.New("the virtual node measures CPU and memory on Linux only")
}
