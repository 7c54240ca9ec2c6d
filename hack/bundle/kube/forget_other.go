//go:build !linux

package main

// forget saves memory on Linux only.
func forget() {}
