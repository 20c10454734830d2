package analysis

import (
	"fmt"
	"strings"
	"testing"
)

// beganLog is a log with a header's environment and that of the program.
func beganLog(header, environment string) Open {
	return textLogOf(`"x"],"environment":`+environment+`,"unknown":[`, header)
}

// TestRecordedEnvironment: what a program began with goes before what the recording began with; what nobody could read is
// neither set nor unset.
func TestRecordedEnvironment(t *testing.T) {
	const header = `{"MALLOC_ARENA_MAX":null,"LD_PRELOAD":null,"rlimit_stack":"8388608","rlimit_as":null,"thp":null,"libc_build_id":"ab"}`
	side := func(environment string) *State {
		s, err := Load(beganLog(header, environment), Moment{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	show := func(list []Setting) string {
		var words []string
		for _, s := range list {
			text := func(v *string, unknown bool) string {
				switch {
				case unknown:
					return "?"
				case v == nil:
					return "unset"
				}
				return *v
			}
			words = append(words, fmt.Sprintf("%s %s|%s", s.Name, text(s.Before, s.UnknownBefore), text(s.After, s.UnknownAfter)))
		}
		return strings.Join(words, " ")
	}
	for _, c := range []struct{ before, after, differ, unrecorded, only string }{
		{`{"variables":{"MALLOC_ARENA_MAX":"1"},"others":["HOME"],"limits":{"rlimit_stack":"1"}}`, `{"variables":{},"others":["ERL_FLAGS","HOME"],"limits":{"rlimit_stack":"2"}}`,
			"MALLOC_ARENA_MAX 1|unset rlimit_stack 1|2", "", "|ERL_FLAGS"},
		{`{"variables":null,"others":null,"limits":{"rlimit_stack":"1"}}`, `{"variables":{},"others":["HOME"],"limits":{}}`,
			"", "LD_PRELOAD ?|unset MALLOC_ARENA_MAX ?|unset rlimit_stack 1|?", "|"},
		{`null`, `{"variables":{"MALLOC_ARENA_MAX":"1"},"others":[],"limits":{"rlimit_stack":"8388608"}}`, "MALLOC_ARENA_MAX unset|1", "", "|"},
		{`null`, `null`, "", "", "|"},
	} {
		for _, turned := range []bool{false, true} {
			a, b, differ, unrecorded, only := side(c.before), side(c.after), c.differ, c.unrecorded, c.only
			if turned {
				a, b, differ, unrecorded, only = b, a, turn(differ), turn(unrecorded), turn(only)
			}
			d := Compare(a, b, [2]string{"a", "b"})
			p := &d.Processes[0]
			if got := show(d.Environment); got != differ {
				t.Errorf("%s, %s: %q differ, want %q", c.before, c.after, got, differ)
			}
			if got := show(d.Unrecorded); got != unrecorded {
				t.Errorf("%s, %s: %q are not known of one, want %q", c.before, c.after, got, unrecorded)
			}
			if got := strings.Join(p.OnlyBefore, ",") + "|" + strings.Join(p.OnlyAfter, ","); got != only {
				t.Errorf("%s, %s: %q are of one alone, want %q", c.before, c.after, got, only)
			}
			if len(p.Environment) != 0 {
				t.Errorf("the first pair says twice %s", show(p.Environment))
			}
		}
	}
}

// turn turns the two sides of each word that has them.
func turn(words string) string {
	list := strings.Split(words, " ")
	for i, w := range list {
		if before, after, ok := strings.Cut(w, "|"); ok {
			list[i] = after + "|" + before
			continue
		}
	}
	return strings.Join(list, " ")
}
