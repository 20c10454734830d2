package debuginfo

import (
	"bytes"
	"encoding/hex"
	"path/filepath"

	"github.com/vmblame/vmblame/internal/elffile"
)

// supplement returns the supplementary file that dwz moved common entries and strings to, nil if there is
// none (.gnu_debugaltlink: a path, relative to the debug file's directory, and a build id).
func (f *file) supplement() *file {
	if f.altTried {
		return f.alt
	}
	f.altTried = true
	b, err := f.elf.SectionData(".gnu_debugaltlink", 4096+64)
	if err != nil {
		return nil
	}
	n := bytes.IndexByte(b, 0)
	if n <= 0 {
		return nil
	}
	name, id := string(b[:n]), hex.EncodeToString(b[n+1:])
	for _, p := range f.supplementPaths(name, id) {
		e, err := elffile.OpenPath(p)
		if err != nil {
			continue
		}
		if e.BuildID() != id {
			e.Close()
			continue
		}
		f.alt = newFile(e, "", f.budget)
		f.alt.altTried = true
		return f.alt
	}
	return nil
}

func (f *file) supplementPaths(name, id string) []string {
	var paths []string
	if filepath.IsAbs(name) {
		paths = append(paths, name)
	} else {
		own := f.elf.Name()
		if real, err := filepath.EvalSymlinks(own); err == nil {
			own = real
		}
		paths = append(paths, filepath.Join(filepath.Dir(own), name))
	}
	for _, dir := range f.dirs {
		if len(id) > 2 {
			paths = append(paths, filepath.Join(dir, ".build-id", id[:2], id[2:]+".debug"))
		}
		paths = append(paths, filepath.Join(dir, ".dwz", filepath.Base(name)))
	}
	return paths
}
