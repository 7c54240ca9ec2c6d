package stream

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/go-logr/logr"
	"github.com/virtual-kubelet/virtual-kubelet/node/api"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/remotecommand"
	"k8s.io/streaming/pkg/httpstream/wsstream"
	utilexec "k8s.io/utils/exec"
)

// Idle is how long a stream may be silent. Its length is what kubelets use:
// people leave terminals open.
const Idle = 4 * time.Hour

// statusTime is how long the client may take for the last message.
const statusTime = 10 * time.Second

// Feature is what a node declares that serves WebSockets itself. For any other
// one, the API server translates them, and does not pass on that a client has
// left.
const Feature = "ExtendWebSocketsToKubelet"

// Client is the far end of a stream.
type Client = api.AttachIO

// serveWebSocket serves exec or attach over version 5 of the protocol, which
// unlike the earlier ones can tell the end of the input.
func serveWebSocket(w http.ResponseWriter, r *http.Request, run func(context.Context, *http.Request, Client) error) {
	query := r.URL.Query()
	wanted := func(name string) bool { return query.Get(name) == "1" }
	client := &webClient{tty: wanted("tty"), sizes: make(chan api.TermSize)}
	channels := make([]wsstream.ChannelType, remotecommand.StreamResize+1)
	for i := range channels {
		channels[i] = wsstream.IgnoreChannel
	}
	channels[remotecommand.StreamErr] = wsstream.WriteChannel
	for channel, kind := range map[int]struct {
		wanted bool
		kind   wsstream.ChannelType
	}{
		remotecommand.StreamStdIn:  {wanted("input"), wsstream.ReadChannel},
		remotecommand.StreamStdOut: {wanted("output"), wsstream.WriteChannel},
		remotecommand.StreamStdErr: {wanted("error") && !client.tty, wsstream.WriteChannel},
		remotecommand.StreamResize: {client.tty, wsstream.ReadChannel},
	} {
		if kind.wanted {
			channels[channel] = kind.kind
		}
	}
	conn := wsstream.NewConn(map[string]wsstream.ChannelProtocolConfig{
		remotecommand.StreamProtocolV5Name: {Binary: true, Channels: channels},
	})
	conn.SetIdleTimeout(Idle)
	// The library calls it an error that a session ends.
	_, streams, err := conn.Open(w, r.WithContext(logr.NewContext(r.Context(), logr.Discard())))
	if err != nil {
		return // the client has its answer
	}
	defer func() { _ = conn.Close() }()
	if channels[remotecommand.StreamStdIn] == wsstream.ReadChannel {
		client.stdin = streams[remotecommand.StreamStdIn]
	}
	if channels[remotecommand.StreamStdOut] == wsstream.WriteChannel {
		client.stdout = streams[remotecommand.StreamStdOut]
	}
	if channels[remotecommand.StreamStdErr] == wsstream.WriteChannel {
		client.stderr = streams[remotecommand.StreamStdErr]
	}
	// The client waits for a first message, on the first channel that it reads.
	for _, first := range []int{remotecommand.StreamStdOut, remotecommand.StreamStdErr, remotecommand.StreamErr} {
		if channels[first] == wsstream.WriteChannel {
			_, _ = streams[first].Write(nil) // the context ends if this fails
			break
		}
	}
	if client.tty {
		go client.resize(r.Context(), streams[remotecommand.StreamResize])
	}
	raw, err := json.Marshal(statusOf(run(r.Context(), r, client)))
	if err != nil {
		return
	}
	conn.SetWriteDeadline(statusTime)
	_, _ = streams[remotecommand.StreamErr].Write(raw) // the client may be gone
}

// statusOf returns what the client reads at the end.
func statusOf(err error) metav1.Status {
	var exit utilexec.ExitError
	switch {
	case err == nil:
		return metav1.Status{Status: metav1.StatusSuccess}
	case errors.As(err, &exit) && exit.Exited():
		return metav1.Status{
			Status: metav1.StatusFailure, Reason: remotecommand.NonZeroExitCodeReason,
			Message: "command terminated with non-zero exit code: " + exit.Error(),
			Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{
				Type: remotecommand.ExitCodeCauseType, Message: strconv.Itoa(exit.ExitStatus()),
			}}},
		}
	}
	return apierrors.NewInternalError(err).Status()
}

// webClient is a client over a WebSocket.
type webClient struct {
	stdin          io.Reader
	stdout, stderr io.WriteCloser
	tty            bool
	sizes          chan api.TermSize
}

func (c *webClient) Stdin() io.Reader            { return c.stdin }
func (c *webClient) Stdout() io.WriteCloser      { return c.stdout }
func (c *webClient) Stderr() io.WriteCloser      { return c.stderr }
func (c *webClient) TTY() bool                   { return c.tty }
func (c *webClient) Resize() <-chan api.TermSize { return c.sizes }

// resize passes on the sizes of the client's terminal.
func (c *webClient) resize(ctx context.Context, from io.Reader) {
	decoder := json.NewDecoder(from)
	for {
		var size api.TermSize
		if decoder.Decode(&size) != nil {
			return
		}
		select {
		case c.sizes <- size:
		case <-ctx.Done():
			return
		}
	}
}
