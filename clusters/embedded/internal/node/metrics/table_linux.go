package metrics

import (
	"fmt"
	"os"

	"github.com/prometheus/procfs"
)

// readTable reads /proc (proc(5)).
func readTable() (table, error) {
	const ticks = 100 // of /proc, a second: it is 100 on all of Linux's machines
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return table{}, fmt.Errorf("reading /proc: %w", err)
	}
	all, err := fs.AllProcs()
	if err != nil {
		return table{}, fmt.Errorf("reading the processes: %w", err)
	}
	t := table{processes: make(map[int]process, len(all))}
	page := int64(os.Getpagesize())
	for _, p := range all {
		stat, err := p.Stat()
		if err != nil { // it has ended
			continue
		}
		t.processes[p.PID] = process{
			parent: stat.PPID, start: stat.Starttime, memory: int64(stat.RSS) * page,
			cpu: (float64(stat.UTime) + float64(stat.STime) + float64(stat.CUTime) + float64(stat.CSTime)) / ticks,
		}
	}
	stat, err := fs.Stat()
	if err != nil {
		return table{}, fmt.Errorf("reading the machine's CPU time: %w", err)
	}
	c := stat.CPUTotal // guest time is in user time already
	t.cpu = c.User + c.Nice + c.System + c.IRQ + c.SoftIRQ
	memory, err := fs.Meminfo()
	if err != nil {
		return table{}, fmt.Errorf("reading the machine's memory: %w", err)
	}
	if memory.MemTotalBytes != nil && memory.MemAvailableBytes != nil {
		t.memory = int64(*memory.MemTotalBytes) - int64(*memory.MemAvailableBytes)
	}
	return t, nil
}
