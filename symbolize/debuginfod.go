package symbolize

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vmblame/vmblame/internal/elffile"
)

const (
	debuginfodTimeout = 90 * time.Second
	debuginfodDial    = 5 * time.Second
	debuginfodAnswer  = 30 * time.Second
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

// DefaultDebuginfod is the server of the elfutils project, which forwards to those of all distributions.
const DefaultDebuginfod = "https://debuginfod.elfutils.org"

// ConfiguredDebuginfod returns the servers that this machine is set up to ask: those of the value of DEBUGINFOD_URLS;
// without one those that the files *.urls of /etc/debuginfod name (from which elfutils' profile.sh sets the
// variable); without these DefaultDebuginfod.
func ConfiguredDebuginfod(value string) []string {
	urls := DebuginfodURLs(value)
	if len(urls) > 0 {
		return urls
	}
	files, _ := filepath.Glob("/etc/debuginfod/*.urls")
	for _, name := range files {
		if text, err := os.ReadFile(name); err == nil {
			urls = append(urls, DebuginfodURLs(string(text))...)
		}
	}
	if len(urls) == 0 {
		urls = []string{DefaultDebuginfod}
	}
	return urls
}

// servers caches what a Resolver has learnt about the debuginfod servers.
type servers struct {
	absent map[string]bool // build ids that no server has
	down   map[string]bool // URLs of unreachable servers: they are not tried again
}

// fetch returns the debug file of a build, from the cache or the first server that has it. The caller
// closes it.
func (o *Options) fetch(buildID string, known *servers) (*elffile.File, error) {
	if len(buildID) < 2 || strings.Trim(buildID, "0123456789abcdef") != "" {
		return nil, fmt.Errorf("debug file of build %q: no build id", buildID)
	}
	cache := o.DebuginfodCache
	if cache == "" {
		cache = os.Getenv("DEBUGINFOD_CACHE_PATH")
	}
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
		if o.DebuginfodCacheOnly || known.down[url] {
			continue
		}
		err := o.download(url+"/buildid/"+buildID+"/debuginfo", path)
		if err == nil {
			return openBuild(path, buildID)
		}
		errs = append(errs, err)
		var status *statusError
		known.down[url] = !errors.As(err, &status)
	}
	return nil, fmt.Errorf("debug file of build %s: %w", buildID, errors.Join(errs...))
}

// statusError is an HTTP error status from a server.
type statusError struct{ url, status string }

func (e *statusError) Error() string { return e.url + ": " + e.status }

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

// download fetches url to path, completely or not at all.
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
	// An unreachable server must be detected long before the time allowed for a large file.
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: debuginfodDial}).DialContext,
		TLSHandshakeTimeout:   debuginfodDial,
		ResponseHeaderTimeout: debuginfodAnswer,
	}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return &statusError{url, res.Status}
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
