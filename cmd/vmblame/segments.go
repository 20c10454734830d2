package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/segment"
)

const (
	// leastLimit is the smallest --log-limit.
	leastLimit = 4 << 20
	// segmentsKept is how many segments of the usual size fit into the limit.
	segmentsKept = 8
	// logSlack is how many bytes the present segment may grow before its size is checked again: as much as the Writer
	// buffers.
	logSlack = 256 << 10
)

// A boundedLog is written in segments. The present one has the log's name; when it is full it is renamed to that of a
// part. The oldest parts are removed when all segments together would exceed the limit.
type boundedLog struct {
	cutter *segment.Cutter
	limit  int64

	// What follows belongs to whoever calls Put.
	began int // bytes of lines of the present segment
	state int // the part of began that is the state at the segment's start
	told  bool

	// What follows belongs to the goroutine that writes.
	parts  []part
	number int   // of the segment being written
	lines  int64 // bytes of its lines that have been handed to the Writer

	ratio atomic.Int64 // bytes in the file for each 1024 bytes of lines
}

// part is a segment that has been written.
type part struct {
	name string
	size int64
}

func newBoundedLog(limit int64, name string) *boundedLog {
	b := &boundedLog{cutter: segment.NewCutter(), limit: limit, number: 1}
	b.ratio.Store(1024)
	if strings.HasSuffix(name, ".zst") {
		b.ratio.Store(128)
	}
	return b
}

// full reports whether the segment should end before the next event: it has its share of the limit, and more than half
// of it is not the state.
func (b *boundedLog) full() bool {
	inFile := func(lines int) int64 { return int64(lines) * b.ratio.Load() / 1024 }
	target := min(max(b.limit/segmentsKept, 2*inFile(b.state)), b.limit/2)
	return inFile(b.began) >= target && b.began > b.state
}

// wrote adds up the sizes of what has been written to the present segment.
func (b *boundedLog) wrote(lines int, size int64) {
	b.lines += int64(lines)
	if b.lines >= 1<<16 && size > 0 {
		b.ratio.Store(max(1, size*1024/b.lines))
	}
}

// makeRoom removes the oldest parts until the remaining ones and n more bytes fit into the limit.
func (b *boundedLog) makeRoom(n int64) error {
	sum := n
	for _, p := range b.parts {
		sum += p.size
	}
	for len(b.parts) > 0 && sum > b.limit {
		p := b.parts[0]
		b.parts = b.parts[1:]
		sum -= p.size
		if err := os.Remove(p.name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// next ends the segment of w and begins the next one under the log's name.
func (b *boundedLog) next(w *eventlog.Writer, name string, end *eventlog.End) (*eventlog.Writer, error) {
	if err := w.Put(end); err != nil {
		return w, err
	}
	if err := w.Close(); err != nil {
		return w, err
	}
	p := part{name: partName(name, b.number), size: w.Size()}
	if err := setAside(name, p.name); err != nil {
		return w, err
	}
	b.parts = append(b.parts, p)
	fresh, err := eventlog.CreateNew(name)
	if err != nil {
		return w, err
	}
	b.number++
	b.lines = 0
	return fresh, nil
}

// setAside renames a full segment from name to to. If to exists it is replaced only if it is a log: a part of an
// earlier recording.
func setAside(name, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, name, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	switch {
	case errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOSYS): // the file system cannot
		if _, e := os.Lstat(to); !errors.Is(e, os.ErrNotExist) {
			return fmt.Errorf("%s: %w", to, os.ErrExist)
		}
		return os.Rename(name, to)
	case !errors.Is(err, os.ErrExist):
		return err
	}
	earlier, err := eventlog.Create(to)
	if err != nil {
		return err
	}
	if err := earlier.Discard(); err != nil {
		return err
	}
	return os.Rename(name, to)
}

// partName is the name of a segment that is not being written any more: "server.jsonl" becomes "server.part-000001.jsonl".
func partName(name string, number int) string {
	stem, ext := splitExt(name)
	return fmt.Sprintf("%s.part-%06d%s", stem, number, ext)
}

// splitExt splits the extension off a log's name: ".jsonl" or ".jsonl.zst".
func splitExt(name string) (stem, ext string) {
	stem, packed := strings.CutSuffix(name, ".zst")
	ext = filepath.Ext(stem)
	stem = strings.TrimSuffix(stem, ext)
	if packed {
		ext += ".zst"
	}
	return stem, ext
}

// missing says that a log does not begin at the start of the recording, and which earlier parts are beside it.
func missing(name string, g *eventlog.Segment) string {
	text := fmt.Sprintf("segment %d of a recording: events 1 to %d are in earlier ones", g.Number, g.Events)
	if g.Events == 0 {
		text = fmt.Sprintf("segment %d of a recording", g.Number)
	}
	kept := earlierParts(name, g.Number)
	switch len(kept) {
	case 0:
		return text + ", which are not here"
	case 1:
		return text + ": here is " + kept[0]
	}
	return fmt.Sprintf("%s: here are %d, %s to %s", text, len(kept), kept[0], kept[len(kept)-1])
}

// earlierParts lists the parts with a lower number that stand beside the segment called name, the oldest first.
func earlierParts(name string, number int) []string {
	stem, ext := splitExt(name)
	if i := strings.LastIndex(stem, ".part-"); i >= 0 {
		stem = stem[:i]
	}
	entries, err := os.ReadDir(filepath.Dir(name))
	if err != nil {
		return nil
	}
	numbers := map[string]int{}
	var kept []string
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), filepath.Base(stem)+".part-")
		if !ok {
			continue
		}
		digits, ok := strings.CutSuffix(rest, ext)
		n, err := strconv.Atoi(digits)
		if !ok || err != nil || n >= number {
			continue
		}
		path := filepath.Join(filepath.Dir(name), e.Name())
		numbers[path] = n
		kept = append(kept, path)
	}
	sort.Slice(kept, func(i, j int) bool { return numbers[kept[i]] < numbers[kept[j]] })
	return kept
}
