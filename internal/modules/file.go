package modules

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/openfile"
	"github.com/vmblame/vmblame/internal/vm"
)

// File is the ELF file of a mapping, open.
type File struct {
	*elffile.File
	// Debug is its separate debug file, where only the tracee's root has one; nil otherwise.
	Debug *elffile.File

	at   *os.File // nil for an image in memory
	made stamp
}

// stamp identifies the contents of an inode; it survives unlinking and renaming.
type stamp struct {
	size  int64
	mtime syscall.Timespec
}

// Intact reports whether the file has not been written to since it was opened; otherwise its addresses and names
// would be those of other code.
func (m *File) Intact() bool {
	if m.at == nil {
		return true
	}
	st, err := m.at.Stat()
	return err == nil && stampOf(st) == m.made
}

// Made is when the file was last written to before it was opened, the zero time for an image in memory.
func (m *File) Made() time.Time {
	if m.at == nil {
		return time.Time{}
	}
	return time.Unix(m.made.mtime.Unix())
}

func stampOf(st fs.FileInfo) stamp {
	sys := st.Sys().(*syscall.Stat_t)
	return stamp{st.Size(), sys.Mtim}
}

// Pin opens the files of code that has just been mapped, for recordings that could not open them any more once
// they are deleted or replaced.
func (t *Table) Pin(sp Space, changes []ledger.Change) {
	if t.mapFilesWork {
		return // what is mapped can be opened at any time
	}
	for i := range changes {
		if e := changes[i].Now; e != nil && e.Perms&vm.Exec != 0 && e.File.Inode != 0 {
			t.pin(sp, e)
		}
	}
}

func (t *Table) pin(sp Space, e *ledger.Entry) {
	k := key{dev: e.File.Dev, inode: e.File.Inode}
	if m := t.byKey[k]; m != nil && m.File != nil && m.File.Intact() {
		return
	}
	if p := t.pinned[k]; p != nil && p.Intact() {
		return
	}
	if f := t.open(sp, e); f != nil {
		t.pinned[k] = f
	}
}

// open opens the file of a mapping as the tracee sees it: by /proc/PID/map_files, which is right for
// deleted files and other mount namespaces but needs a capability, else by its path below the tracee's
// root, where it must still be the same file.
func (t *Table) open(sp Space, e *ledger.Entry) *File {
	tid := sp.TID()
	f := t.openByMapping(sp, e, tid)
	if f == nil {
		same := func(st *syscall.Stat_t, f *elffile.File) bool { return sameFileAs(sp, e, st, f) }
		// The kernel shows paths as seen from our root if they are reachable there, else from the tracee's.
		for _, open := range []func() (*os.File, error){
			func() (*os.File, error) { return openfile.Regular(e.File.Path) },
			func() (*os.File, error) { return openfile.Under(fmt.Sprintf("/proc/%d/root", tid), e.File.Path) },
			func() (*os.File, error) { return openfile.Regular(fmt.Sprintf("/proc/%d/exe", tid)) },
		} {
			if o, err := open(); err == nil {
				if f = readELF(o, e.File.Path, same); f != nil {
					break
				}
			}
		}
	}
	if f != nil && otherRoot(tid) {
		f.Debug = foreignDebug(tid, f.BuildID())
	}
	return f
}

func (t *Table) openByMapping(sp Space, e *ledger.Entry, tid int) *File {
	if t.mapFilesDenied || sp.Maps() == nil {
		return nil
	}
	row, ok := sp.Maps().At(e.Start)
	if !ok || row.File.Inode != e.File.Inode {
		return nil
	}
	path := fmt.Sprintf("/proc/%d/map_files/%x-%x", tid, row.Start, row.End)
	f, err := openfile.Regular(path)
	if err != nil {
		// proc_map_files_get_link wants CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE (fs/proc/base.c).
		t.mapFilesDenied = errors.Is(err, fs.ErrPermission) && !t.mapFilesWork
		return nil
	}
	t.mapFilesWork = true
	return readELF(f, e.File.Path, nil)
}

// sameFileAs reports whether a file found by its path is the one that is mapped: it has the same device and inode, or
// the build id in the tracee's memory. On overlays and subvolumes the numbers of stat(2) and /proc/PID/maps differ for
// the same file, so differing numbers alone prove nothing; but another file may have replaced the mapped one.
func sameFileAs(sp Space, e *ledger.Entry, st *syscall.Stat_t, f *elffile.File) bool {
	dev := vm.Dev{Major: unix.Major(st.Dev), Minor: unix.Minor(st.Dev)}
	if st.Ino == e.File.Inode && dev == e.File.Dev {
		return true
	}
	id := mappedBuildID(sp, e)
	return id != "" && id == f.BuildID()
}

// mappedBuildID reads the build id of a mapped file from the tracee's memory, "" where its beginning is not
// mapped or has none in its first page.
func mappedBuildID(sp Space, e *ledger.Entry) string {
	for first := range sp.Ledger().All {
		if first.File.Inode != e.File.Inode || first.File.Dev != e.File.Dev || first.Offset != 0 {
			continue
		}
		page := make([]byte, vm.PageSize)
		if sp.ReadMemory(first.Start, page) < len(page) {
			continue
		}
		if f, err := elffile.Open(bytes.NewReader(page), int64(len(page)), "memory"); err == nil {
			return f.BuildID()
		}
	}
	return ""
}

// readELF reads the headers of f, which it closes where it returns nil.
func readELF(f *os.File, name string, check func(*syscall.Stat_t, *elffile.File) bool) *File {
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		f.Close()
		return nil
	}
	ef, err := elffile.Open(f, st.Size(), strings.TrimSuffix(name, " (deleted)"))
	if err != nil || check != nil && !check(st.Sys().(*syscall.Stat_t), ef) {
		f.Close()
		return nil
	}
	return &File{File: ef, at: f, made: stampOf(st)}
}

// otherRoot reports whether a thread sees other files than we do: another mount namespace, or chroot(2).
func otherRoot(tid int) bool {
	theirs, err1 := os.Stat(fmt.Sprintf("/proc/%d/root", tid))
	ours, err2 := os.Stat("/")
	if err1 != nil || err2 != nil || !os.SameFile(theirs, ours) {
		return true
	}
	ns, err1 := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", tid))
	own, err2 := os.Readlink("/proc/self/ns/mnt")
	return err1 != nil || err2 != nil || ns != own
}

// foreignDebug opens the separate debug file of a build below a thread's root, nil where it has none.
func foreignDebug(tid int, id string) *elffile.File {
	if len(id) < 3 {
		return nil
	}
	d, err := elffile.OpenUnder(fmt.Sprintf("/proc/%d/root", tid), filepath.Join(elffile.DefaultDebugDir, ".build-id", id[:2], id[2:]+".debug"))
	if err != nil {
		return nil
	}
	if d.BuildID() != id {
		d.Close()
		return nil
	}
	return d
}
