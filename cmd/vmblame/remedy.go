package main

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/vmblame/vmblame/internal/corefile"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/vm"
)

// logsNamed is how many logs an error lists by name; the rest are counted.
const logsNamed = 3

// remedy returns what the user can do about a log that cannot be read, to be appended to the error; "" if the error
// says enough. file is the log, nil if it could not be opened.
func remedy(err error, name string, file *os.File) string {
	switch {
	case errors.Is(err, fs.ErrNotExist) && name == "-":
		return ": a log is read from a file, never from standard input"
	case errors.Is(err, fs.ErrNotExist):
		logs := logsIn(".")
		switch {
		case len(logs) == 0:
			return ": no log is here: vmblame run PROGRAM makes one"
		case len(logs) > logsNamed:
			return fmt.Sprintf(": the logs here: %s and %d more", strings.Join(logs[:logsNamed], ", "), len(logs)-logsNamed)
		}
		return ": the logs here: " + strings.Join(logs, ", ")
	case errors.Is(err, fs.ErrPermission):
		return ": a log is readable by its owner alone: sudo"
	case errors.Is(err, eventlog.ErrNotLog):
		return insteadOfLog(name, file)
	}
	return ""
}

// logsIn lists the logs of a folder, as a shell takes them.
func logsIn(dir string) (logs []string) {
	names, _ := filepath.Glob(filepath.Join(quoteGlob(dir), "*.jsonl*"))
	for _, name := range names {
		if isLog(name) {
			logs = append(logs, quote(name))
		}
	}
	return logs
}

// errFolder returns the error for a directory given in place of a log. It names the log in that directory that was
// written last.
func errFolder(command, dir string) error {
	newest := newestLogIn(dir)
	if newest == "" {
		return failed("%s %s: a folder, and no log is in it: vmblame run -o LOG -- PROGRAM makes one", command, dir)
	}
	return failed("%s %s: a folder: its newest log is %s", command, dir, quote(newest))
}

// headLength is how many bytes at the beginning of a file are needed to tell what kind of file it is.
const headLength = 1 << 16

// insteadOfLog says what a file that is not a log seems to be, judging by its beginning, and what to do with it.
func insteadOfLog(name string, file *os.File) string {
	const record = ": vmblame run -o LOG -- PROGRAM makes one"
	if file == nil {
		return record
	}
	head := beginning(file)
	unpack := corefile.Compressed(head)
	switch {
	case len(head) == 0:
		return ": the file is empty" + record
	case unpack != "" && unpack != "zstd -d":
		return fmt.Sprintf(": it is compressed: %s %s", unpack, quote(name))
	case elfType(head) == elf.ET_CORE:
		return ": it is a core file: vmblame map " + quote(name)
	case elfType(head) != elf.ET_NONE:
		return ": it is a program or a library: vmblame run " + asProgram(name)
	}
	if rows, _, err := vm.ParseMapText(head); err == nil && len(rows) > 0 {
		return ": it is a saved memory map: vmblame map " + quote(name)
	}
	return record
}

// beginning returns the first bytes of a file, at most headLength.
func beginning(file *os.File) []byte {
	head := make([]byte, headLength)
	n, _ := file.ReadAt(head, 0)
	return head[:n]
}

// elfType returns the type of an ELF file, judging by its first bytes; ET_NONE for other files.
func elfType(head []byte) elf.Type {
	const at = 16 // e_type
	if !bytes.HasPrefix(head, []byte(elf.ELFMAG)) || len(head) < at+2 {
		return elf.ET_NONE
	}
	return elf.Type(head[at]) | elf.Type(head[at+1])<<8
}

// asProgram returns the name of a file in a form that a shell executes: with a "/".
func asProgram(name string) string {
	if !strings.Contains(name, "/") {
		name = "./" + name
	}
	return quote(name)
}

// unwritten returns why the file called name could not be written and what the user can do, nil if err is. The name of
// a temporary file in err is left out.
func unwritten(name string, err error) error {
	var own *exit
	if err == nil || errors.As(err, &own) { // the file was written, or something else failed
		return err
	}
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		err = p.Err
	case errors.As(err, &l):
		err = l.Err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: mkdir -p %s makes the folder", err, quote(filepath.Dir(name)))
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: make room, or name a file elsewhere with -o", err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.EISDIR), errors.Is(err, fs.ErrExist), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: name another file with -o", err)
	}
	return err
}
