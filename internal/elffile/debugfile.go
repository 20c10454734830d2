package elffile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"strings"
)

// DefaultDebugDir is where distributions install separate debug files (gdb's debug-file-directory).
const DefaultDebugDir = "/usr/lib/debug"

// ErrNoDebugFile is what DebugFile returns, wrapped, if it finds no debug file of the same build.
var ErrNoDebugFile = errors.New("no separate debug file")

type debugResult struct {
	file *File
	err  error
}

// DebugLink returns the contents of .gnu_debuglink: the debug file's name without a directory, and the CRC
// of its bytes (gdb's "Debugging Information in Separate Files").
func (f *File) DebugLink() (name string, crc uint32, ok bool) {
	b, err := f.SectionData(".gnu_debuglink", 4096+8)
	if err != nil {
		return "", 0, false
	}
	n := bytes.IndexByte(b, 0)
	at := (n + 4) &^ 3
	if n <= 0 || at+4 > len(b) {
		return "", 0, false
	}
	name = string(b[:n])
	if strings.ContainsRune(name, '/') || name == "." || name == ".." {
		return "", 0, false
	}
	return name, binary.LittleEndian.Uint32(b[at:]), true
}

// DebugFile finds the separate debug file of f under dirs (nil: DefaultDebugDir), as gdb does: by build id, then by
// .gnu_debuglink, beside the file, in .debug beside it, and under each of dirs. A file with another build id is
// rejected, or with another CRC if either lacks a build id. The result is cached for these dirs; the file belongs to
// f, which closes it. The error wraps ErrNoDebugFile and says what was tried.
func (f *File) DebugFile(dirs []string) (*File, error) {
	if len(dirs) == 0 {
		dirs = []string{DefaultDebugDir}
	}
	key := strings.Join(dirs, "\x00")
	f.debugMu.Lock()
	defer f.debugMu.Unlock()
	if d := f.debug[key]; d != nil {
		return d.file, d.err
	}
	d := new(debugResult)
	d.file, d.err = f.findDebugFile(dirs)
	if f.debug == nil {
		f.debug = make(map[string]*debugResult)
	}
	f.debug[key] = d
	return d.file, d.err
}

func (f *File) findDebugFile(dirs []string) (*File, error) {
	id := f.BuildID()
	if len(id) > 2 {
		for _, dir := range dirs {
			path := filepath.Join(dir, ".build-id", id[:2], id[2:]+".debug")
			if d := f.tryDebugFile(path, nil); d != nil {
				return d, nil
			}
		}
	}
	name, crc, ok := f.DebugLink()
	if !ok {
		return nil, fmt.Errorf("%s: %w: build id %q, no debug link", f.name, ErrNoDebugFile, id)
	}
	for _, path := range f.linkPaths(name, dirs) {
		if d := f.tryDebugFile(path, &crc); d != nil {
			return d, nil
		}
	}
	return nil, fmt.Errorf("%s: %w: build id %q, debug link %q", f.name, ErrNoDebugFile, id, name)
}

// linkPaths lists where a debug link may point. If /lib is a link to /usr/lib the file has a path under each, and its
// debug file is installed under one of them.
func (f *File) linkPaths(name string, dirs []string) []string {
	own := []string{filepath.Dir(f.name)}
	if !filepath.IsAbs(own[0]) {
		return nil
	}
	if real, err := filepath.EvalSymlinks(f.name); err == nil && filepath.Dir(real) != own[0] {
		own = append(own, filepath.Dir(real))
	}
	var paths []string
	for _, dir := range own {
		paths = append(paths, filepath.Join(dir, name), filepath.Join(dir, ".debug", name))
		for _, top := range dirs {
			paths = append(paths, filepath.Join(top, dir, name))
			if rest, ok := strings.CutPrefix(dir, "/usr/"); ok {
				paths = append(paths, filepath.Join(top, rest, name))
			} else {
				paths = append(paths, filepath.Join(top, "usr", dir, name))
			}
		}
	}
	return paths
}

// tryDebugFile opens path if it is a debug file of f, else it returns nil. If both files have a build id these
// decide; else, if crc is given, the CRC of the whole file must match.
func (f *File) tryDebugFile(path string, crc *uint32) *File {
	if path == f.name {
		return nil
	}
	d, err := OpenPath(path)
	if err != nil {
		return nil
	}
	mine, its := f.BuildID(), d.BuildID()
	ok := mine == its
	if mine == "" || its == "" {
		ok = crc == nil || fileCRC(d) == *crc
	}
	if !ok {
		d.Close()
		return nil
	}
	return d
}

// maxCRC bounds the bytes that are summed up: a huge sparse file costs its maker nothing, but its reader time.
const maxCRC = 8 << 30

// fileCRC is the CRC-32 (IEEE) of all bytes, which is what .gnu_debuglink holds.
func fileCRC(f *File) uint32 {
	if f.size > maxCRC {
		return 0
	}
	h := crc32.NewIEEE()
	if _, err := io.Copy(h, io.NewSectionReader(f.r, 0, f.size)); err != nil {
		return 0
	}
	return h.Sum32()
}
