package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// appURL waits for the sample app's Service and returns where its page is.
func appURL(ctx context.Context, kubeconfig string) (string, error) {
	var port int64
	_, err := await(ctx, kubeconfig, service("app", "app"), func(u *unstructured.Unstructured) bool {
		ports, _, _ := unstructured.NestedSlice(u.Object, "spec", "ports")
		for _, each := range ports {
			if entry, ok := each.(map[string]any); ok {
				port, _, _ = unstructured.NestedInt64(entry, "nodePort")
			}
		}
		return port != 0
	})
	return fmt.Sprintf("http://127.0.0.1:%d/", port), err
}

// awaitPage returns when url answers 200 with content in its text, and the
// time at which it did.
func awaitPage(ctx context.Context, url, content string) (time.Time, error) {
	client := &http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{DisableKeepAlives: true}, // as a browser that comes for the first time
	}
	err := poll(ctx, func(ctx context.Context) error { return look(ctx, client, url, content) })
	return time.Now(), err
}

func look(ctx context.Context, client *http.Client, url, content string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	switch {
	case err != nil:
		return err
	case response.StatusCode != http.StatusOK:
		return errors.New(response.Status)
	case !strings.Contains(string(body), content):
		return fmt.Errorf("%s does not show %q", url, content)
	}
	return nil
}
