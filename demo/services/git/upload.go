package git

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-git/go-git/v6/plumbing"
	"github.com/go-git/go-git/v6/plumbing/format/packfile"
	"github.com/go-git/go-git/v6/plumbing/format/pktline"
	"github.com/go-git/go-git/v6/plumbing/protocol/capability"
	"github.com/go-git/go-git/v6/plumbing/protocol/packp"
	"github.com/go-git/go-git/v6/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v6/storage"
)

// uploadPack answers one request of a clone or fetch (protocol version 0 over HTTP: each request carries the whole
// conversation so far). go-git's own server reads past the end of such a request when the client wants to agree on
// common commits, and so refuses shallow clones of the git command line: see TestClients.
func uploadPack(st storage.Storer, r io.Reader, w io.Writer) error {
	rd := bufio.NewReader(r)
	if l, _, err := pktline.PeekLine(rd); errors.Is(err, io.EOF) || (err == nil && l == pktline.Flush) {
		return nil // the client has all it wants
	}
	var req packp.UploadRequest
	if err := req.Decode(rd); err != nil {
		return refuse(w, fmt.Errorf("reading the fetch request: %w", err))
	}
	if !req.Depth.DeepenSince.IsZero() || len(req.Depth.DeepenNot) > 0 {
		return refuse(w, errors.New("this host supports --depth, but not --shallow-since or --shallow-exclude"))
	}
	t := transfer{wants: req.Wants, depth: req.Depth.Deepen, shallow: map[plumbing.Hash]bool{}}
	for _, h := range req.Shallows {
		t.shallow[h] = true
	}
	for _, h := range t.wants {
		if st.HasEncodedObject(h) != nil {
			return refuse(w, fmt.Errorf("not our object: %s", h))
		}
	}
	if t.depth > 0 {
		if err := sendShallow(st, t, w); err != nil {
			return err
		}
	}
	ready, err := negotiate(st, &t, req.Capabilities, rd, w)
	if err != nil || !ready {
		return err
	}
	return sendPack(st, t, req.Capabilities, w)
}

// sendShallow sends the client the commits that it now has without parents, and those that it has with them again.
func sendShallow(st storage.Storer, t transfer, w io.Writer) error {
	wk := newWalk(st, t)
	tips, err := wk.tips()
	if err != nil {
		return refuse(w, err)
	}
	inside, cut, err := wk.within(tips)
	if err != nil {
		return refuse(w, err)
	}
	var upd packp.ShallowUpdate
	for _, h := range cut {
		if !t.shallow[h] {
			upd.Shallows = append(upd.Shallows, h)
		}
	}
	for h := range t.shallow {
		if inside[h] && !slices.Contains(cut, h) {
			upd.Unshallows = append(upd.Unshallows, h)
		}
	}
	if err := upd.Encode(w); err != nil {
		return fmt.Errorf("sending shallow commits: %w", err)
	}
	return nil
}

// negotiate reads what the client has, acknowledges what is known here, and notes it in t.
// It returns false if the client is to say more in another request.
func negotiate(st storage.Storer, t *transfer, caps capability.List, r io.Reader, w io.Writer) (ready bool, err error) {
	detailed, multi := caps.Supports(capability.MultiACKDetailed), caps.Supports(capability.MultiACK)
	var last plumbing.Hash
	say := func(format string, a ...any) {
		if err == nil {
			_, err = pktline.Writef(w, format, a...)
		}
	}
	for err == nil {
		l, line, rerr := pktline.ReadLine(r)
		switch {
		case errors.Is(rerr, io.EOF):
			return false, nil
		case rerr != nil:
			return false, fmt.Errorf("reading the client's commits: %w", rerr)
		case l == pktline.Flush:
			if detailed && !last.IsZero() {
				// One commit in common is enough to cut the answer short; asking on would only save bytes.
				say("ACK %s ready\n", last)
			}
			if last.IsZero() || detailed || multi {
				say("NAK\n")
			}
			continue
		}
		word, rest, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
		if word == "done" {
			if last.IsZero() {
				say("NAK\n")
			} else if detailed || multi {
				say("ACK %s\n", last)
			}
			return err == nil, err
		}
		h, ok := plumbing.FromHex(rest)
		if word != "have" || !ok {
			return false, refuse(w, fmt.Errorf("unexpected line %q", line))
		}
		if st.HasEncodedObject(h) != nil {
			continue
		}
		t.haves = append(t.haves, h)
		switch {
		case detailed:
			say("ACK %s common\n", h)
		case multi:
			say("ACK %s continue\n", h)
		case last.IsZero():
			say("ACK %s\n", h)
		}
		last = h
	}
	return false, err
}

// sendPack sends the objects. Deltas are not looked for: here the network is loopback, and time is what counts.
func sendPack(st storage.Storer, t transfer, caps capability.List, w io.Writer) error {
	out, report := w, func(error) {}
	var muxer *sideband.Muxer
	switch {
	case caps.Supports(capability.Sideband64k):
		muxer = sideband.NewMuxer(sideband.Sideband64k, w)
	case caps.Supports(capability.Sideband):
		muxer = sideband.NewMuxer(sideband.Sideband, w)
	}
	if muxer != nil {
		out = muxer
		report = func(err error) { _, _ = muxer.WriteChannel(sideband.ErrorMessage, []byte(err.Error()+"\n")) }
	}
	objects, err := missingObjects(st, t)
	if err != nil {
		report(err)
		return fmt.Errorf("finding what to send: %w", err)
	}
	buf := bufio.NewWriterSize(out, 32<<10)
	if _, err := packfile.NewEncoder(buf, st, false).Encode(objects, 0); err != nil {
		report(err)
		return fmt.Errorf("sending the pack: %w", err)
	}
	if err := buf.Flush(); err != nil {
		return fmt.Errorf("sending the pack: %w", err)
	}
	if muxer != nil {
		if err := pktline.WriteFlush(w); err != nil {
			return fmt.Errorf("sending the pack: %w", err)
		}
	}
	return nil
}

// refuse sends an error to the client, and returns the same error for the log.
func refuse(w io.Writer, err error) error {
	_, _ = pktline.WriteError(w, err)
	return err
}
