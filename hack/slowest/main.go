// Command slowest runs `go test` with its arguments, prints what that prints, and names the ten slowest tests before
// Go's line for the package that ended last. Its exit code is that of `go test`.
//
//	go run ./hack/slowest -short ./...
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
)

func main() {
	os.Exit(run(os.Args[1:]))
}

// run returns the exit code of `go test`; 2 when it cannot be run.
func run(args []string) int {
	// go test ends by itself on an interrupt, and what it says then is printed.
	signal.Ignore(os.Interrupt, syscall.SIGTERM)
	verbose := slices.Contains(args, "-v")
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "slowest: run go test:", err)
		return 2
	}
	r := newReport(os.Stdout, verbose)
	readErr := r.read(out)
	err = cmd.Wait()
	r.end()
	if readErr != nil {
		fmt.Fprintln(os.Stderr, "slowest: read the output of go test:", readErr)
		return 2
	}
	if err != nil {
		return max(1, cmd.ProcessState.ExitCode())
	}
	return 0
}
