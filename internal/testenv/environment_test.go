package testenv

import (
	"os"
	"testing"
)

func TestClean(t *testing.T) {
	for name, stays := range map[string]bool{
		"MALLOC_ARENA_MAX": false, "LC_ALL": false, "LD_PRELOAD": false, "NO_COLOR": false, "PS1": false, "GOMAXPROCS": false,
		"PATH": true, "HOME": true, "TMPDIR": true, "GOFLAGS": true, "GOCACHE": true, "LCD": true, "NO_COLORS": true,
	} {
		t.Setenv(name, "1") // which puts back what was there
		Clean()
		if _, ok := os.LookupEnv(name); ok != stays {
			t.Errorf("%s: still there: %v", name, ok)
		}
	}
}
