package html

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/vmblame/vmblame/internal/analysis"
)

// Served returns the bounds for a page that can request more from its server.
func Served() Options { return Options{Moments: 1000, Mappings: 4_000_000, Ranges: 500_000} }

// A Source is a log that a Server reads again on request.
type Source struct {
	Open analysis.Open
	Name string
}

// A Server serves a page and answers its requests: more moments of a part of a log, and the whole history of an
// address. It is an http.Handler for loopback, and answers only requests below its secret path.
type Server struct {
	path    string // "/secret/"
	page    *Page
	value   []byte // of the page, packed
	sources []Source
	pids    []int
	reading sync.Mutex // a Source has one place where it is read
}

// NewServer returns a Server of a page that was made from sources.
func NewServer(p *Page, sources []Source, pids []int) (*Server, error) {
	p.Served = true
	value, err := pack(p)
	if err != nil {
		return nil, err
	}
	return &Server{path: "/" + rand.Text() + "/", page: p, value: value, sources: sources, pids: pids}, nil
}

// Path returns the path of the page: a secret between slashes.
func (s *Server) Path() string { return s.path }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, ours := strings.CutPrefix(r.URL.Path, s.path)
	if !ours || r.Method != http.MethodGet {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "frame-ancestors 'none'")
	var err error
	switch name {
	case "":
		h.Set("Content-Type", "text/html; charset=utf-8")
		err = write(w, title(s.page), "", "'self'")
	case "value":
		err = s.giveValue(w, r)
	case "history":
		err = s.giveHistory(w, r)
	default:
		http.NotFound(w, r)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

// source returns the log that a request is about.
func (s *Server) source(r *http.Request) (Source, error) {
	n, err := strconv.Atoi(r.FormValue("log"))
	if err != nil || n < 0 || n >= len(s.sources) {
		return Source{}, fmt.Errorf("log %q: there are %d", r.FormValue("log"), len(s.sources))
	}
	return s.sources[n], nil
}

// giveValue answers with the page's value, or with that of a part of a log.
func (s *Server) giveValue(w io.Writer, r *http.Request) error {
	value := s.value
	if r.FormValue("log") != "" {
		from, err := strconv.ParseUint(r.FormValue("from"), 10, 64)
		if err != nil {
			return err
		}
		to, err := strconv.ParseUint(r.FormValue("to"), 10, 64)
		if err != nil {
			return err
		}
		source, err := s.source(r)
		if err != nil {
			return err
		}
		o := Served()
		o.PIDs, o.From, o.To = s.pids, from, to
		s.reading.Lock()
		v, _, err := Read(source.Open, source.Name, o)
		s.reading.Unlock()
		if err != nil {
			return err
		}
		if value, err = pack(&Page{Type: "pictures", Logs: []*Value{v}, Served: true}); err != nil {
			return err
		}
	}
	_, err := w.Write(value)
	return err
}

// giveHistory answers with everything that happened at an address.
func (s *Server) giveHistory(w io.Writer, r *http.Request) error {
	source, err := s.source(r)
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(r.FormValue("pid"))
	if err != nil {
		return err
	}
	address, err := strconv.ParseUint(r.FormValue("address"), 0, 64)
	if err != nil {
		return err
	}
	s.reading.Lock()
	history, err := analysis.ReadHistory(source.Open, analysis.Moment{}, []int{pid}, address, analysis.HistoryOptions{})
	s.reading.Unlock()
	if err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(history)
}
