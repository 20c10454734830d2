package record

import (
	"slices"
	"testing"
)

// TestJITNames: options that the program has stay, what it has nothing in is set.
func TestJITNames(t *testing.T) {
	env := withJITNames([]string{"HOME=/root", "NODE_OPTIONS=--max-old-space-size=64", "JAVA_TOOL_OPTIONS= "})
	for _, want := range []string{
		"HOME=/root", "PYTHONPERFSUPPORT=1", "DOTNET_PerfMapEnabled=1",
		"NODE_OPTIONS=--max-old-space-size=64 --perf-basic-prof --interpreted-frames-native-stack",
		"JAVA_TOOL_OPTIONS=-XX:+IgnoreUnrecognizedVMOptions -XX:+UnlockDiagnosticVMOptions -XX:+DumpPerfMapAtExit -XX:+PreserveFramePointer",
	} {
		if !slices.Contains(env, want) {
			t.Errorf("%q is not in %q", want, env)
		}
	}
	if len(env) != 5 {
		t.Errorf("%q", env)
	}
}
