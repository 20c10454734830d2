package record

import "strings"

// jitNames are the variables that make runtimes tell the names of the code that they make, in /tmp/perf-PID.map: of CPython from 3.12
// on, Node, Java from 17 on, and .NET. Where the program has options in one already, these are added.
var jitNames = [...]struct{ name, value string }{
	{"PYTHONPERFSUPPORT", "1"},
	{"NODE_OPTIONS", "--perf-basic-prof --interpreted-frames-native-stack"},
	{"JAVA_TOOL_OPTIONS", "-XX:+IgnoreUnrecognizedVMOptions -XX:+UnlockDiagnosticVMOptions -XX:+DumpPerfMapAtExit -XX:+PreserveFramePointer"},
	{"DOTNET_PerfMapEnabled", "1"},
}

// withJITNames is an environment in which runtimes tell the names of the code that they make.
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

// jitNamesNote says what --jit-names has done.
func jitNamesNote() string {
	var names []string
	for _, v := range jitNames {
		names = append(names, v.name)
	}
	return "--jit-names: " + strings.Join(names, ", ") + " are set for the program, so that runtimes tell the names of code that they make (in /tmp/perf-PID.map); it runs slower"
}
