package unwind

import (
	"os"
	"testing"

	"github.com/vmblame/vmblame/internal/plainenv"
)

// TestMain: what the tools say that ours is held against must not depend on the user's environment.
func TestMain(m *testing.M) {
	plainenv.Set()
	os.Exit(m.Run())
}
