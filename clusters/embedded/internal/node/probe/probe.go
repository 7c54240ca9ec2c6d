// Package probe runs the probes of containers at the times that their specs
// define. It sends requests and runs commands; the caller acts on the results.
package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/fluxdemo/fluxdemo/clusters/backoff"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/process"
)

// Check runs a probe once. A nil error means success.
type Check func(ctx context.Context) error

// Schedule is a probe's timing.
type Schedule struct {
	InitialDelay, period, timeout time.Duration
	successes, failures           int
}

// ScheduleOf returns a probe's timing, with the defaults of Kubernetes.
func ScheduleOf(p *corev1.Probe) Schedule {
	seconds := func(n, fallback int32) time.Duration {
		if n <= 0 {
			n = fallback
		}
		return time.Duration(n) * time.Second
	}
	return Schedule{
		InitialDelay: time.Duration(p.InitialDelaySeconds) * time.Second,
		period:       seconds(p.PeriodSeconds, 10),
		timeout:      seconds(p.TimeoutSeconds, 1),
		successes:    max(1, int(p.SuccessThreshold)),
		failures:     max(1, int(p.FailureThreshold)),
	}
}

// Allowed is how long a container may take to start: as long as failures are
// allowed, however often it is asked within that time.
func (s Schedule) Allowed() time.Duration {
	return s.InitialDelay + s.period*time.Duration(s.failures)
}

// quickStart and its growth are the intervals of the probes of a container
// until its first success, up to the probe's period. A kubelet waits for the
// initial delay and then a period at a time. Here the start of the whole
// cluster waits for the container, and a local request is cheap.
const (
	quickStart  = 50 * time.Millisecond
	quickGrowth = 1.15
)

// UntilWell probes until the container has succeeded as often in a row as the
// schedule requires. After deadline it returns the last failure; a zero
// deadline means none. It also returns nil when ctx ends: see ctx.Err().
// It calls failed only once the interval has reached the schedule's period,
// because a container that starts does not answer yet.
func UntilWell(ctx context.Context, s Schedule, deadline time.Time, ask Check, failed func(error)) error {
	wait := min(quickStart, s.period)
	well := 0
	for {
		err := askOnce(ctx, s, ask)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			if well++; well >= s.successes {
				return nil
			}
		} else {
			well = 0
			if !deadline.IsZero() && time.Now().After(deadline) {
				return err
			}
			if wait >= s.period {
				failed(err)
			}
		}
		if !backoff.Pause(ctx, wait) {
			return nil
		}
		wait = min(time.Duration(float64(wait)*quickGrowth), s.period)
	}
}

// WhileWell asks once a period and tells each failure. It returns the failure
// that was one too many, or nil when ctx ends.
func WhileWell(ctx context.Context, s Schedule, ask Check, failed func(error)) error {
	failures := 0
	for backoff.Pause(ctx, s.period) {
		err := askOnce(ctx, s, ask)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			failures = 0
			continue
		}
		failed(err)
		if failures++; failures >= s.failures {
			return err
		}
	}
	return nil
}

func askOnce(ctx context.Context, s Schedule, ask Check) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return ask(ctx)
}

// Target is what a probe has to know of the container it asks.
type Target struct {
	Spec    *corev1.Container
	Binary  string                       // the image's own program
	Local   func(port int32) (int, bool) // container port -> local port
	Run     func(ctx context.Context, command []string) error
	Rewrite func(words []string) []string // paths in the container -> paths of the host
}

// ErrUnsupported says that a probe cannot be done for a process.
var ErrUnsupported = errors.New("not supported by the virtual node")

// New returns the Check of a probe. For a kind of probe that the virtual node
// does not support it returns ErrUnsupported. The container then counts as
// healthy, and an event says so.
func New(target Target, handler corev1.ProbeHandler) (Check, error) {
	switch {
	case handler.HTTPGet != nil:
		address, err := target.address(handler.HTTPGet.Host, handler.HTTPGet.Port)
		if err != nil {
			return nil, err
		}
		return httpCheck(address, handler.HTTPGet), nil
	case handler.TCPSocket != nil:
		address, err := target.address(handler.TCPSocket.Host, handler.TCPSocket.Port)
		if err != nil {
			return nil, err
		}
		return tcpCheck(address), nil
	case handler.Exec != nil && len(handler.Exec.Command) > 0:
		// Only the image's own program is surely what the image's author
		// meant; a shell of the host sees the host's files.
		command := handler.Exec.Command
		if filepath.Base(command[0]) != filepath.Base(target.Binary) {
			return nil, fmt.Errorf("an exec probe that runs %q, which is not the image's own program, is %w", command[0], ErrUnsupported)
		}
		command = append([]string{target.Binary}, target.Rewrite(command[1:])...)
		return func(ctx context.Context) error { return target.Run(ctx, command) }, nil
	}
	return nil, fmt.Errorf("this kind of probe is %w", ErrUnsupported)
}

// address returns where to reach a container's port, by number or name.
func (t Target) address(host string, port intstr.IntOrString) (string, error) {
	number := port.IntVal
	if port.Type == intstr.String {
		number = 0
		for _, p := range t.Spec.Ports {
			if p.Name == port.StrVal {
				number = p.ContainerPort
			}
		}
		if n, err := strconv.ParseInt(port.StrVal, 10, 32); number == 0 && err == nil {
			number = int32(n)
		}
		if number == 0 {
			return "", fmt.Errorf("the container has no port named %q", port.StrVal)
		}
	}
	if host != "" {
		return net.JoinHostPort(host, strconv.Itoa(int(number))), nil
	}
	if local, ok := t.Local(number); ok {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(local)), nil
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(int(number))), nil
}

func httpCheck(address string, get *corev1.HTTPGetAction) Check {
	scheme := strings.ToLower(string(get.Scheme))
	if scheme == "" {
		scheme = "http"
	}
	target := url.URL{Scheme: scheme, Host: address, Path: "/"}
	if parsed, err := url.Parse(get.Path); err == nil && get.Path != "" {
		target.Path, target.RawQuery = "/"+strings.TrimPrefix(parsed.Path, "/"), parsed.RawQuery
	}
	client := &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			// A probe asks whether it answers, not who it is; so do kubelets.
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
		if err != nil {
			return err
		}
		request.Header.Set("User-Agent", "kube-probe/fluxdemo")
		for _, header := range get.HTTPHeaders {
			request.Header.Set(header.Name, header.Value)
			if strings.EqualFold(header.Name, "Host") {
				request.Host = header.Value
			}
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		_, _ = io.CopyN(io.Discard, response.Body, 10<<10)
		if response.StatusCode < 200 || response.StatusCode >= 400 {
			return fmt.Errorf("HTTP probe failed with statuscode: %d", response.StatusCode)
		}
		return nil
	}
}

func tcpCheck(address string) Check {
	return func(ctx context.Context) error {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

// Run runs a command to its end, as an exec probe does.
func Run(ctx context.Context, command process.Spec) error {
	var out bytes.Buffer
	command.Output = &out
	p, err := process.Start(command)
	if err != nil {
		return err
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		p.Stop(0)
		return ctx.Err()
	}
	if exit := p.Exit(); exit.Code != 0 {
		return fmt.Errorf("%s: %s", exit, strings.TrimSpace(string(out.Bytes()[:min(out.Len(), 1024)])))
	}
	return nil
}
