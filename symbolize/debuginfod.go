package symbolize

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vmblame/vmblame/internal/elffile"
)

const (
	debuginfodTimeout = 90 * time.Second
	maxDownload       = 4 << 30 // bytes of a debug file
)

// DebuginfodURLs splits the value of the variable DEBUGINFOD_URLS (debuginfod-find(1)): URLs with white
// space between them.
func DebuginfodURLs(value string) []string {
	var urls []string
	for _, u := range strings.Fields(value) {
		if strings.HasPrefix(u, "http://") || strings.HasPrefix(u, "https://") {
			urls = append(urls, strings.TrimSuffix(u, "/"))
		}
	}
	return urls
}

// fetch returns the debug file of a build, from the cache or the first server that has it. The caller
// closes it.
func (o *Options) fetch(buildID string) (*elffile.File, error) {
	if len(buildID) < 2 || strings.Trim(buildID, "0123456789abcdef") != "" {
		return nil, fmt.Errorf("debug file of build %q: no build id", buildID)
	}
	cache := o.DebuginfodCache
	if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("debug file of build %s: %w", buildID, err)
		}
		cache = filepath.Join(dir, "debuginfod_client")
	}
	path := filepath.Join(cache, buildID, "debuginfo")
	if f, err := openBuild(path, buildID); err == nil {
		return f, nil
	}
	errs := []error{}
	for _, url := range o.Debuginfod {
		err := o.download(url+"/buildid/"+buildID+"/debuginfo", path)
		if err == nil {
			return openBuild(path, buildID)
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("debug file of build %s: %w", buildID, errors.Join(errs...))
}

// openBuild opens a file and checks that it is of that build.
func openBuild(path, buildID string) (*elffile.File, error) {
	f, err := elffile.OpenPath(path)
	if err != nil {
		return nil, err
	}
	if f.BuildID() != buildID {
		f.Close()
		return nil, fmt.Errorf("%s: its build id is %q", path, f.BuildID())
	}
	return f, nil
}

// download puts what url has at path, whole or not at all.
func (o *Options) download(url, path string) error {
	timeout := o.DebuginfodTimeout
	if timeout == 0 {
		timeout = debuginfodTimeout
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, res.Status)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "debuginfo-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	n, err := io.Copy(tmp, io.LimitReader(res.Body, maxDownload+1))
	if err == nil && n > maxDownload {
		err = errors.New("larger than 4 GiB")
	}
	if err2 := tmp.Close(); err == nil {
		err = err2
	}
	if err != nil {
		return fmt.Errorf("%s: %w", url, err)
	}
	return os.Rename(tmp.Name(), path)
}
