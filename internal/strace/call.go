package strace

import (
	"strconv"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/text"
)

// AppendCall writes an event as strace writes a system call: name, decoded arguments, result.
func AppendCall(b []byte, e *eventlog.Event) []byte {
	b = append(b, text.Printable(e.Call)...)
	b = append(b, '(')
	for i, a := range e.Args {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = appendArg(b, e.Call, a)
	}
	b = append(b, ") = "...)
	switch {
	case e.Error != "":
		b = append(b, "-1 "...)
		b = append(b, text.Printable(e.Error)...)
		if t := errnoText(e.Error); t != "" {
			b = append(b, " ("...)
			b = append(b, t...)
			b = append(b, ')')
		}
	case e.Result == nil:
		b = append(b, '?')
	case e.Result.Address:
		b = appendHex(b, uint64(e.Result.Value))
	default:
		b = strconv.AppendInt(b, e.Result.Value, 10)
	}
	if e.Uncertain {
		b = append(b, " (order uncertain)"...)
	}
	return b
}

func appendArg(b []byte, call string, a eventlog.Arg) []byte {
	switch {
	case a.Text != "":
		return strconv.AppendQuote(b, a.Text)
	case a.Address && a.Value == 0:
		return append(b, "NULL"...)
	case a.Address:
		return appendHex(b, uint64(a.Value))
	}
	if t := argTable(call, a.Name); t != nil {
		return append(b, t.format(uint64(a.Value))...)
	}
	switch a.Name {
	case "offset":
		// strace writes file offsets in hexadecimal.
		if a.Value == 0 {
			return append(b, '0')
		}
		return appendHex(b, uint64(a.Value))
	case "dirfd":
		if a.Value == -100 {
			return append(b, "AT_FDCWD"...)
		}
	}
	if a.Value < 0 && a.Value > -4096 {
		return strconv.AppendInt(b, a.Value, 10)
	}
	return strconv.AppendUint(b, uint64(a.Value), 10)
}

func appendHex(b []byte, v uint64) []byte {
	b = append(b, "0x"...)
	return strconv.AppendUint(b, v, 16)
}

// errnoText is strerror(3) for the errors that calls on mappings return, "" for others.
func errnoText(name string) string {
	for _, e := range errnoTexts {
		if e.name == name {
			return e.text
		}
	}
	return ""
}

var errnoTexts = [...]struct{ name, text string }{
	{"EPERM", "Operation not permitted"},
	{"ENOENT", "No such file or directory"},
	{"EINTR", "Interrupted system call"},
	{"EBADF", "Bad file descriptor"},
	{"EAGAIN", "Resource temporarily unavailable"},
	{"ENOMEM", "Cannot allocate memory"},
	{"EACCES", "Permission denied"},
	{"EFAULT", "Bad address"},
	{"EBUSY", "Device or resource busy"},
	{"EEXIST", "File exists"},
	{"ENODEV", "No such device"},
	{"ENOTDIR", "Not a directory"},
	{"EINVAL", "Invalid argument"},
	{"ENFILE", "Too many open files in system"},
	{"ETXTBSY", "Text file busy"},
	{"ENOSYS", "Function not implemented"},
	{"ENOEXEC", "Exec format error"},
	{"EIDRM", "Identifier removed"},
	{"EOVERFLOW", "Value too large for defined data type"},
	{"ENOTSUP", "Operation not supported"},
	{"EOPNOTSUPP", "Operation not supported"},
	{"ELOOP", "Too many levels of symbolic links"},
	{"ENAMETOOLONG", "File name too long"},
	{"E2BIG", "Argument list too long"},
}
