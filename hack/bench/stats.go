package main

import (
	"math"
	"slices"
	"time"
)

// percentile returns the p-th percentile (0 < p <= 100) of the samples by
// nearest rank: a value that was really measured. Of no samples it is 0.
func percentile(samples []float64, p float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(samples))
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}

func median(samples []float64) float64 { return percentile(samples, 50) }

func worst(samples []float64) float64 { return percentile(samples, 100) }

// seconds keeps three digits after the point: a millisecond is finer than
// what one run and the next have in common.
func seconds(d time.Duration) float64 { return math.Round(d.Seconds()*1000) / 1000 }
