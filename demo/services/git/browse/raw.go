package browse

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v6/plumbing/filemode"
	"github.com/go-git/go-git/v6/plumbing/object"
)

// rawBytes is the size of a file beyond which git is the way to get it: the server has all of it in memory.
const rawBytes = 32 << 20

// raw answers with a file as it is. A browser shows text as text, whatever is in it, and saves all else.
func (p *Pages) raw(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header())
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	st, ok := p.host.Open(strings.TrimSuffix(r.PathValue("repo"), ".git"))
	if !ok {
		http.Error(w, "there is no such repository", http.StatusNotFound)
		return
	}
	defer st.Close()
	rd, n, err := openFile(st, r.URL.Query().Get("rev"), r.URL.Query().Get("path"))
	var missing notFound
	switch {
	case errors.As(err, &missing):
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	case err != nil:
		p.log.Warn("reading a file failed", "path", r.URL.Path, "error", err.Error())
		http.Error(w, "the file cannot be read", http.StatusInternalServerError)
		return
	}
	defer rd.Close()
	if n > rawBytes {
		http.Error(w, "the file has "+size(n)+"; get it with git clone", http.StatusRequestEntityTooLarge)
		return
	}
	raw, err := io.ReadAll(io.LimitReader(rd, rawBytes))
	if err != nil {
		p.log.Warn("reading a file failed", "path", r.URL.Path, "error", err.Error())
		http.Error(w, "the file cannot be read", http.StatusInternalServerError)
		return
	}
	if binary(raw) {
		w.Header().Set("Content-Type", "application/octet-stream")
		disposition := mime.FormatMediaType("attachment", map[string]string{"filename": path.Base(r.URL.Query().Get("path"))})
		if disposition == "" {
			disposition = "attachment"
		}
		w.Header().Set("Content-Disposition", disposition)
	} else {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(raw)))
	_, _ = w.Write(raw)
}

// openFile opens a file of a commit, and returns its size.
func openFile(st Storage, rev, path string) (io.ReadCloser, int64, error) {
	at, err := resolve(st, rev)
	if err != nil {
		return nil, 0, err
	}
	e, err := entryAt(st, at.Commit, path)
	if err != nil {
		return nil, 0, err
	}
	if e.Mode == filemode.Dir || e.Mode == filemode.Submodule {
		return nil, 0, notFound("this is a " + modeName(e.Mode) + ", not a file")
	}
	n, err := st.EncodedObjectSize(e.Hash)
	if err != nil {
		return nil, 0, err
	}
	if n > rawBytes {
		return io.NopCloser(strings.NewReader("")), n, nil
	}
	blob, err := object.GetBlob(st, e.Hash)
	if err != nil {
		return nil, 0, err
	}
	rd, err := blob.Reader()
	return rd, n, err
}
