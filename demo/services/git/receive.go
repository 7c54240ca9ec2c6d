package git

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/go-git/go-git/v6/plumbing"
	"github.com/go-git/go-git/v6/plumbing/format/packfile"
	"github.com/go-git/go-git/v6/plumbing/format/pktline"
	"github.com/go-git/go-git/v6/plumbing/protocol/capability"
	"github.com/go-git/go-git/v6/plumbing/protocol/packp"
	"github.com/go-git/go-git/v6/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v6/storage/filesystem"

	"github.com/fluxdemo/fluxdemo/demo/services/gitapi"
)

// looseLimit is up to how many objects a push is stored as single files. Small pushes are the rule here, and a pile of
// thousands of tiny packs, each with an index to search, would make every later fetch slower.
const looseLimit = 200

// receivePack takes a push: it stores the objects, checks that nothing is missing, and moves the references that are
// still where the client believes them to be. It calls pushed for each of them, before the client is answered.
// go-git's own server does not compare the old value, so that one of two simultaneous pushes would be lost silently.
func receivePack(ctx context.Context, rp *repo, r io.Reader, w io.Writer, pushed func(refUpdate)) error {
	rd := bufio.NewReader(r)
	if l, _, err := pktline.PeekLine(rd); err == nil && l == pktline.Flush {
		return nil // the client only tries whether it may push
	}
	var req packp.UpdateRequests
	if err := req.Decode(rd); err != nil {
		return refuse(w, fmt.Errorf("reading the push request: %w", err))
	}
	var opts packp.PushOptions
	if req.Capabilities.Supports(capability.PushOptions) {
		if err := opts.Decode(rd); err != nil {
			return refuse(w, fmt.Errorf("reading the push options: %w", err))
		}
	}
	st := rp.open()
	defer closeStorage(st)

	restore := slices.ContainsFunc(opts.Options, func(o string) bool { return strings.TrimSpace(o) == gitapi.Restore })
	status := packp.ReportStatus{UnpackStatus: "ok"}
	hint := ""
	err := store(st, &req, rd)
	if err != nil {
		status.UnpackStatus = oneLine(err)
	}
	for _, cmd := range req.Commands {
		cs := &packp.CommandStatus{ReferenceName: cmd.Name, Status: "ok"}
		if err != nil {
			cs.Status = "unpacker error"
		} else if u, uerr := rp.update(ctx, st, cmd, restore); uerr != nil {
			cs.Status = oneLine(uerr)
			if re, ok := errors.AsType[*resetError](uerr); ok {
				hint = re.hint()
			}
		} else {
			pushed(u)
		}
		status.CommandStatuses = append(status.CommandStatuses, cs)
	}
	if rerr := report(&req, &status, hint, w); err == nil {
		err = rerr
	}
	return err
}

// store writes the pushed objects and checks that everything they refer to is there.
func store(st *filesystem.Storage, req *packp.UpdateRequests, rd *bufio.Reader) error {
	var tips []plumbing.Hash
	for _, cmd := range req.Commands {
		if cmd.Action() != packp.Delete {
			tips = append(tips, cmd.New)
		}
	}
	if len(tips) == 0 {
		return nil
	}
	const header = 12 // "PACK", version, number of objects
	h, err := rd.Peek(header)
	if err != nil {
		return fmt.Errorf("reading the pack: %w", err)
	}
	switch n := binary.BigEndian.Uint32(h[8:]); {
	case n == 0: // a branch on a commit that is here already
	case n <= looseLimit:
		_, err = packfile.NewParser(rd, packfile.WithStorage(st)).Parse()
	default:
		err = packfile.UpdateObjectStorage(st, rd)
	}
	if err != nil {
		return fmt.Errorf("storing the pack: %w", err)
	}
	refs, err := tipsOf(st)
	if err != nil {
		return err
	}
	_, err = missingObjects(st, transfer{wants: tips, haves: slices.Collect(maps.Values(refs)), verify: true})
	if err != nil {
		return fmt.Errorf("objects are missing: %w", err)
	}
	return nil
}

// update moves one reference. restore says that the client wants back what a reset has removed.
func (r *repo) update(ctx context.Context, st *filesystem.Storage, cmd *packp.Command, restore bool) (refUpdate, error) {
	u := refUpdate{Ref: cmd.Name, Before: cmd.Old, After: cmd.New}
	if !strings.HasPrefix(cmd.Name.String(), "refs/") || cmd.Name.Validate() != nil {
		return u, errors.New("funny refname")
	}
	r.refs.Lock()
	defer r.refs.Unlock()
	now := plumbing.ZeroHash
	ref, err := st.Reference(cmd.Name)
	switch {
	case err == nil:
		now = ref.Hash()
	case !errors.Is(err, plumbing.ErrReferenceNotFound):
		return u, fmt.Errorf("reading %s: %w", cmd.Name, err)
	}
	if !now.Equal(cmd.Old) {
		return u, errors.New("fetch first: the branch has new commits")
	}
	if cmd.Action() == packp.Delete {
		main, err := head(st)
		if err != nil {
			return u, err
		}
		if cmd.Name == main {
			return u, errors.New("deletion of the default branch prohibited")
		}
	}
	brings, err := r.checkReset(st, cmd, restore)
	if err != nil {
		return u, err
	}
	if r.upstream != nil && cmd.Name.IsBranch() {
		if err := r.forward(ctx, st, cmd); err != nil {
			return u, err
		}
	}
	if cmd.Action() == packp.Delete {
		return u, r.removeRef(st, cmd.Name)
	}
	if err := r.setRef(cmd.Name, cmd.New); err != nil {
		return u, err
	}
	if brings {
		// The push is done. What cannot be noted is asked for again when the branch has lost these commits once more.
		_ = r.broughtBack(st, cmd.Name, cmd.New)
	}
	return u, nil
}

// report sends the client the result for each reference, and before it a hint for its user, if there is one.
func report(req *packp.UpdateRequests, status *packp.ReportStatus, hint string, w io.Writer) error {
	if !req.Capabilities.Supports(capability.ReportStatus) {
		return nil
	}
	var b bytes.Buffer
	if err := status.Encode(&b); err != nil {
		return fmt.Errorf("encoding the push report: %w", err)
	}
	var err error
	switch {
	case req.Capabilities.Supports(capability.Sideband64k):
		muxer := sideband.NewMuxer(sideband.Sideband64k, w)
		if _, err = muxer.WriteChannel(sideband.ProgressMessage, []byte(hint)); err == nil {
			_, err = muxer.Write(b.Bytes())
		}
		if err == nil {
			err = pktline.WriteFlush(w)
		}
	default:
		_, err = w.Write(b.Bytes())
	}
	if err != nil {
		return fmt.Errorf("sending the push report: %w", err)
	}
	return nil
}

// oneLine makes an error fit into a line of the protocol.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", " ") }
