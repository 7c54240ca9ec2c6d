package stream

import "github.com/prometheus/procfs"

// isZombie says whether a process has ended and is not waited for yet.
func isZombie(pid int) bool {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return true
	}
	stat, err := p.Stat()
	return err != nil || stat.State == "Z"
}
