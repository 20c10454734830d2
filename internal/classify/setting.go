package classify

import (
	"slices"
	"strings"
)

// A Setting is something outside the program that governs how much memory of a kind it has: an option, a limit,
// a property of the machine.
type Setting struct {
	Name  string // as it is set, options by how they begin: MALLOC_ARENA_MAX, glibc.malloc.arena_max, -Xmx
	Where Where
	Hint  bool // the kind's advice recommends it: if it is set, no advice is given
}

// Where says where a setting is made.
type Where uint8

// The places of settings.
const (
	Variable   Where = iota // a variable of the environment
	Tunable                 // an option in GLIBC_TUNABLES
	JavaOption              // an option of a Java VM
	NodeOption              // an option of Node
	Machine                 // a limit or property of the machine; Name is its name in the log's header
)

// holders returns the environment variables that may hold such options; argv reports whether the command line may.
func (w Where) holders() (variables []string, argv bool) {
	switch w {
	case Tunable:
		return []string{"GLIBC_TUNABLES"}, false
	case JavaOption:
		return []string{"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"}, true
	case NodeOption:
		return []string{"NODE_OPTIONS"}, true
	}
	return nil, false
}

// Recorded returns the names under which the header of a log records what may set s.
func (s *Setting) Recorded() []string {
	if variables, _ := s.Where.holders(); variables != nil {
		return variables
	}
	return []string{s.Name}
}

// isSet reports whether s is set, by the environment (recorded, "" where it is not) or the command line.
func (s *Setting) isSet(recorded func(name string) string, argv []string) bool {
	begins := func(option string) bool { return strings.HasPrefix(option, s.Name) }
	variables, inArgv := s.Where.holders()
	for _, v := range variables {
		// Options are separated by blanks, tunables by colons.
		if slices.ContainsFunc(strings.FieldsFunc(recorded(v), func(r rune) bool { return r == ' ' || r == ':' && s.Where == Tunable }), begins) {
			return true
		}
	}
	return inArgv && slices.ContainsFunc(argv, begins) || s.Where == Variable && recorded(s.Name) != ""
}

// Option returns the last of a program's arguments that sets s, "" if none does.
func (s *Setting) Option(argv []string) (option string) {
	if _, inArgv := s.Where.holders(); inArgv {
		for _, a := range argv {
			if strings.HasPrefix(a, s.Name) {
				option = a
			}
		}
	}
	return option
}

// Settings are those of one kind.
type Settings []Setting

// ungoverned are the settings of kinds that have none.
var ungoverned = Settings{}

// hint returns settings that the kind's advice mentions; names are separated by blanks.
func hint(where Where, names string) Settings { return ungoverned.add(where, names, true) }

// governed returns settings that no advice mentions.
func governed(where Where, names string) Settings { return ungoverned.add(where, names, false) }

// hint adds settings that the kind's advice mentions.
func (list Settings) hint(where Where, names string) Settings { return list.add(where, names, true) }

// by adds settings that the kind's advice does not mention.
func (list Settings) by(where Where, names string) Settings { return list.add(where, names, false) }

func (list Settings) add(where Where, names string, hint bool) Settings {
	list = slices.Clip(list)
	for _, name := range strings.Fields(names) {
		list = append(list, Setting{name, where, hint})
	}
	return list
}

// Explain reports whether name is recorded for one of these settings, so that a difference in its value can explain a
// difference of the kind.
func (list Settings) Explain(name string) bool {
	return slices.ContainsFunc(list, func(s Setting) bool { return slices.Contains(s.Recorded(), name) })
}

// Known reports whether a setting that the kind's advice recommends has been set already.
func (list Settings) Known(recorded func(name string) string, argv []string) bool {
	return slices.ContainsFunc(list, func(s Setting) bool { return s.Hint && s.isSet(recorded, argv) })
}
