package inbox

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// Names of the files in the folder Config.Auth.
const (
	tokenFile = "token" // the key with which posts are signed
	// unsignedFile says, by being there, that posts without a signature are accepted as well. The fleets of earlier
	// versions have a Provider that does not sign.
	unsignedFile = "unsigned"
)

// signatureHeader is where Flux's provider generic-hmac puts the signature.
const signatureHeader = "X-Signature"

// sender knows who may post: the folder Config.Auth. Its files are read for each post, since Kubernetes replaces them
// when their Secret changes.
type sender string

// check returns an error unless a post comes from who knows the token.
func (s sender) check(r *http.Request, body []byte) error {
	if s == "" {
		return nil
	}
	signature := r.Header.Get(signatureHeader)
	if signature == "" {
		if _, err := os.Stat(filepath.Join(string(s), unsignedFile)); err == nil {
			return nil
		}
		return errors.New("the notification is not signed: use a Provider of type generic-hmac with the secretRef inbox-token")
	}
	token, err := os.ReadFile(filepath.Join(string(s), tokenFile))
	if err == nil && len(bytes.TrimSpace(token)) == 0 {
		err = fs.ErrNotExist
	}
	if err != nil {
		return fmt.Errorf("the inbox has no token to check signatures with: %w; `fluxdemo up` creates it", err)
	}
	mac := hmac.New(sha256.New, token)
	mac.Write(body)
	given, is := strings.CutPrefix(signature, "sha256=")
	sum, err := hex.DecodeString(given)
	if !is || err != nil || !hmac.Equal(sum, mac.Sum(nil)) {
		return errors.New("the signature is not the demo's: the Provider's Secret has another token; `fluxdemo reset` restores it")
	}
	return nil
}
