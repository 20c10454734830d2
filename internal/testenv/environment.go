package testenv

import (
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// variables change how programs lay out memory, what they print and in which language; a name that ends in *
// stands for all that begin so.
const variables = `GLIBC_TUNABLES MALLOC_* LD_*
	LANG LANGUAGE LC_* TZ TERM COLUMNS LINES NO_COLOR CI
	SHELL ENV BASH_ENV BASHOPTS SHELLOPTS PROMPT_COMMAND PS* CDPATH
	GODEBUG GOTRACEBACK GOGC GOMEMLIMIT GOMAXPROCS
	PYTHON* NODE_* JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS _JAVA_OPTIONS RUST_BACKTRACE RUST_LOG
	MAKEFLAGS MFLAGS MAKELEVEL GNUMAKEFLAGS
	DEBUGINFOD_* XDG_CACHE_HOME VMBLAME_*`

// Clean takes the variables that change programs out of the environment of this process, and so of those it
// starts, and has them not ignore SIGHUP. It knows nothing of limits, terminals and working folders.
func Clean() {
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); listed(name) {
			_ = os.Unsetenv(name)
		}
	}
	// What nohup(1) had ignored, programs that are started would ignore too: whom a signal is caught by passes it
	// on as the default.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
}

// listed reports whether the environment variable called name matches one of variables.
func listed(name string) bool {
	for v := range strings.FieldsSeq(variables) {
		if begin, all := strings.CutSuffix(v, "*"); v == name || all && strings.HasPrefix(name, begin) {
			return true
		}
	}
	return false
}
