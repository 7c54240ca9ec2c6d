//go:build !linux

package fence

import "errors"

// Probe asks the kernel what it has: nothing, outside of Linux.
func Probe() Kernel { return Kernel{} }

// Confine confines the calling thread. It always fails on this system.
func (r Rules) Confine() error {
	return errors.New("only Linux can confine processes; `fluxdemo up --no-fence` runs pods without a fence")
}
