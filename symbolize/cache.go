package symbolize

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/vmblame/vmblame/internal/elffile"
)

const (
	// maxCacheFile bounds what is kept of one file's names, maxCache that of all, in bytes.
	maxCacheFile = 4 << 20
	maxCache     = 64 << 20
)

// DefaultCache returns the directory where names are kept between runs: the value of VMBLAME_CACHE ("off" for none), else the directory vmblame in the
// user's cache directory (os.UserCacheDir, which is $XDG_CACHE_HOME if that is set). It is "" if there is none.
func DefaultCache() string {
	switch dir := os.Getenv("VMBLAME_CACHE"); dir {
	case "off":
		return ""
	case "":
	default:
		return dir
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "vmblame")
}

// nameCache is a directory with one file of names per build id. Its content may be lost at any time, at the cost of
// finding the names again. Several processes may use it at once; the last to write a file wins.
type nameCache struct {
	root *os.Root
	self string // the build id of this executable: another version may find other names
}

// openCache opens the directory. It returns nil if the directory cannot be used or is not trusted, because others can
// write to it.
func openCache(dir string) *nameCache {
	if dir == "" || os.MkdirAll(dir, 0o700) != nil {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil
	}
	st, err := root.Stat(".")
	if err == nil {
		sys, ok := st.Sys().(*syscall.Stat_t)
		if self := ownBuildID(); ok && int(sys.Uid) == os.Geteuid() && st.Mode().Perm()&0o022 == 0 && self != "" {
			return &nameCache{root, self}
		}
	}
	_ = root.Close()
	return nil
}

// ownBuildID is the Go build id of this executable, "" where it was built without.
func ownBuildID() string {
	f, err := elffile.OpenPath("/proc/self/exe")
	if err != nil {
		return ""
	}
	defer f.Close()
	return f.GoBuildID()
}

// cachedNames are the names of one image that are known from earlier runs, and those that are new.
type cachedNames struct {
	cache *nameCache
	name  string // of the file
	key   [sha256.Size]byte
	known map[uint64]Symbol // without frames where the address has no name
	fresh bool              // there are new names to be written
}

// names returns the cached names of an image, nil if they cannot be cached because it has no build id.
func (c *nameCache) names(m *image) *cachedNames {
	id := m.file.BuildID()
	if c == nil || len(id) < 16 {
		return nil
	}
	// All that a name depends on: this program, and the headers of each file that is read for it.
	h := sha256.New()
	fmt.Fprintln(h, c.self, m.file.Name() == "[vdso]")
	for _, f := range append([]*elffile.File{m.file, m.debugFile()}, m.supplements()...) {
		var sum [sha256.Size]byte
		if f != nil {
			sum = f.Sum()
		}
		h.Write(sum[:])
	}
	n := &cachedNames{cache: c, name: id, key: [sha256.Size]byte(h.Sum(nil))}
	n.known = n.read()
	return n
}

// supplements lists the supplementary files (dwz) of the image's debugging information, nil for one that is not
// present.
func (m *image) supplements() (list []*elffile.File) {
	for _, s := range m.sources {
		if d, ok := s.(*dwarf); ok {
			list = append(list, d.info.Supplement())
		}
	}
	return list
}

// unsure reports whether the image may get other names next time: a source has reached its limits, or has looked for
// a split DWARF file, which may appear or disappear.
func (m *image) unsure() bool {
	return slices.ContainsFunc(m.sources, func(s source) bool {
		d, ok := s.(*dwarf)
		return ok && (d.info.Spent() || d.info.Split())
	})
}

// take yields the cached names for queries, and returns the queries that have none.
func (n *cachedNames) take(qs []query, yield func(addr uint64, s Symbol)) (rest []query) {
	for i := range qs {
		if s, ok := n.known[qs[i].addr]; !ok {
			rest = append(rest, qs[i])
		} else if len(s.Frames) > 0 {
			yield(qs[i].addr, s)
		}
	}
	return rest
}

// put adds the answers to queries to the cached names.
func (n *cachedNames) put(qs []query) {
	for i := range qs {
		n.known[qs[i].addr] = qs[i].sym
	}
	n.fresh = n.fresh || len(qs) > 0
}

// read reads the file. A damaged file, or one with another key, has no names.
func (n *cachedNames) read() map[uint64]Symbol {
	f, err := n.cache.root.Open(n.name)
	if err != nil {
		return make(map[uint64]Symbol)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() || st.Size() > maxCacheFile {
		return make(map[uint64]Symbol)
	}
	b := make([]byte, st.Size())
	if _, err := f.ReadAt(b, 0); err != nil {
		return make(map[uint64]Symbol)
	}
	return decodeNames(b, n.key)
}

// write rewrites the file if there are new names, and includes names that other processes have written meanwhile.
func (n *cachedNames) write() {
	if !n.fresh {
		return
	}
	n.fresh = false
	for a, s := range n.read() {
		if _, ok := n.known[a]; !ok {
			n.known[a] = s
		}
	}
	root := n.cache.root
	_, err := root.Lstat(n.name)
	another := err != nil
	temporary := fmt.Sprintf("%s.%d", n.name, os.Getpid())
	f, err := root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return
	}
	_, err = f.Write(encodeNames(n.known, n.key, maxCacheFile))
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = root.Rename(temporary, n.name)
	}
	if err != nil {
		_ = root.Remove(temporary)
		return
	}
	if another {
		n.cache.prune(maxCache)
	}
}

// prune deletes the oldest files until the others take at most most bytes.
func (c *nameCache) prune(most int64) {
	list, err := fs.ReadDir(c.root.FS(), ".")
	if err != nil {
		return
	}
	var files []fs.FileInfo
	var total int64
	for _, e := range list {
		if st, err := e.Info(); err == nil && st.Mode().IsRegular() {
			files = append(files, st)
			total += st.Size()
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, st := range files {
		if total <= most {
			return
		}
		total -= st.Size()
		_ = c.root.Remove(st.Name())
	}
}
