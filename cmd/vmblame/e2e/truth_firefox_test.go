package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/vmblame/vmblame/internal/classify"
)

// firefox is the argument list of a Firefox that can be asked by its remote protocol, on a port of loopback that it chooses.
func firefox(w *world) []string {
	source(w, "user.js", `user_pref("marionette.port", 0);`)
	return []string{"firefox-esr", "--headless", "--no-remote", "--marionette", "-remote-allow-system-access", "--profile", w.dir, "data:text/html,<script>x=[];for(let i=0;i<300000;i++)x.push({i})</script>"}
}

// marionette asks Firefox what its processes say of their memory, as about:memory does: lines "PROCESS|PATH|BYTES". What it has
// for its pages is left out.
func marionette(w *world) (string, error) {
	port, err := os.ReadFile(filepath.Join(w.dir, "MarionetteActivePort"))
	if err != nil {
		return "", err
	}
	c, err := net.Dial("tcp", "127.0.0.1:"+strings.TrimSpace(string(port)))
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	in := bufio.NewReader(c)
	read := func() (m []json.RawMessage, err error) {
		head, err := in.ReadString(':')
		if err != nil {
			return nil, err
		}
		n, err := strconv.Atoi(strings.TrimSuffix(head, ":"))
		if err != nil {
			return nil, err
		}
		text := make([]byte, n)
		if _, err := io.ReadFull(in, text); err != nil {
			return nil, err
		}
		_ = json.Unmarshal(text, &m) // the greeting is an object
		return m, nil
	}
	if _, err := read(); err != nil {
		return "", err
	}
	var answer []json.RawMessage
	for i, command := range []string{
		`"WebDriver:NewSession", {}`,
		`"Marionette:SetContext", {"value": "chrome"}`,
		`"WebDriver:ExecuteAsyncScript", {"args": [], "script": "const done = arguments[arguments.length - 1], list = []; Cc['@mozilla.org/memory-reporter-manager;1'].getService(Ci.nsIMemoryReporterManager).getReports((process, path, kind, units, amount) => { if (!/^explicit.window/.test(path)) list.push(process + '|' + path + '|' + amount); }, null, () => done(list.join('\\n')), null, false);"}`,
	} {
		text := fmt.Sprintf("[0, %d, %s]", i+1, command)
		if _, err := fmt.Fprintf(c, "%d:%s", len(text), text); err != nil {
			return "", err
		}
		if answer, err = read(); err != nil {
			return "", err
		}
		if len(answer) != 4 || string(answer[2]) != "null" {
			return "", fmt.Errorf("marionette: %.300s", answer)
		}
	}
	var said struct{ Value string }
	return said.Value, json.Unmarshal(answer[3], &said)
}

// atRest waits until Firefox maps nothing any more, and asks it.
func atRest(children int) func(*world) (string, error) {
	rest := settled(children)
	return func(w *world) (string, error) {
		if _, err := rest(w); err != nil {
			return "", err
		}
		return marionette(w)
	}
}

// firefoxTruth takes what a process said of its memory.
func firefoxTruth(h *truth, w *world) {
	var heap, scripts uint64
	in := regexp.MustCompile(fmt.Sprintf(`\(pid %d\)`, h.pid))
	for line := range strings.Lines(w.text) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) < 3 || h.pid == w.pid && f[0] != "" || h.pid != w.pid && !in.MatchString(f[0]) {
			continue
		}
		n, _ := strconv.ParseUint(f[len(f)-1], 10, 64)
		switch {
		case strings.HasPrefix(f[1], "heap/committed/"):
			heap += n
		case strings.HasPrefix(f[1], "js-main-runtime-gc-heap-committed/"), f[1] == "decommitted/js-non-window/gc-heap/decommitted-pages", strings.HasPrefix(f[1], "js-main-runtime-gc-buffers/"):
			scripts += n
		}
	}
	if heap == 0 && h.pid == w.pid {
		h.t.Fatalf("nothing of pid %d in %.300q", h.pid, w.text)
	}
	// It counts what is in use and what was; pages that nobody has touched yet can be accessed, too. Of scripts it counts those of the
	// first thread, without the nursery.
	h.sum("about:memory, heap/committed", heap*9/10, heap*3/2+16<<20, true, classify.Mozjemalloc, classify.MozjemallocOwn)
	h.sum("about:memory, js-main-runtime", scripts*9/10, scripts*3/2+64<<20, true, classify.SpiderMonkey)
	h.sum("MaxCodeBytesPerProcess", 0, 2044<<20, false, classify.SpiderMonkeyCode)
}
