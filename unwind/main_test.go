package unwind

import (
	"testing"

	"github.com/vmblame/vmblame/internal/testenv"
)

// TestMain: what the tools say that ours is held against must not depend on the user's environment.
func TestMain(m *testing.M) { testenv.Main(m) }
