package record

import "strings"

// jitNames are the environment variables that make runtimes write the symbol names of JIT-compiled code to
// /tmp/perf-PID.map: CPython 3.12 and later, Node, Java 17 and later, .NET. If the program already has options in
// such a variable, these are appended.
var jitNames = [...]struct{ name, value string }{
	{"PYTHONPERFSUPPORT", "1"},
	{"NODE_OPTIONS", "--perf-basic-prof --interpreted-frames-native-stack"},
	{"JAVA_TOOL_OPTIONS", "-XX:+IgnoreUnrecognizedVMOptions -XX:+UnlockDiagnosticVMOptions -XX:+DumpPerfMapAtExit -XX:+PreserveFramePointer"},
	{"DOTNET_PerfMapEnabled", "1"},
}

// withJITNames returns env with the variables of jitNames set.
func withJITNames(env []string) []string {
	var add []string
	for _, v := range jitNames {
		value := v.value
		if strings.HasSuffix(v.name, "_OPTIONS") {
			for _, kv := range env {
				if old, ok := strings.CutPrefix(kv, v.name+"="); ok && strings.TrimSpace(old) != "" {
					value = old + " " + v.value
				}
			}
		}
		add = append(add, v.name+"="+value)
	}
	return mergeEnv(env, add)
}

// jitNamesNote returns the note about what --jit-names has set.
func jitNamesNote() string {
	var names []string
	for _, v := range jitNames {
		names = append(names, v.name)
	}
	return "--jit-names: " + strings.Join(names, ", ") + " are set for the program, so that runtimes tell the names of code that they make (in /tmp/perf-PID.map); it runs slower"
}
