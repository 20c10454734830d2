package main

import (
	"regexp"

	"github.com/spf13/cobra"

	"github.com/vmblame/vmblame/internal/analysis"
)

// filter holds the flags that choose what an answer is about.
type filter struct {
	words        [len(filterFlags)]string
	since, until string
}

// filterFlags are the flags of a filter whose values are regular expressions.
var filterFlags = [...]struct{ name, about string }{
	{"kind", "only kinds of memory that match `REGEXP` (their word of docs/kinds.md, or what a table calls them)"},
	{"function", "only what calls made with a function that matches `REGEXP` on their stack"},
	{"file", "only mappings of files whose path matches `REGEXP`"},
	{"thread", "only what threads made, or have, whose number and name match `REGEXP`"},
}

// flags adds to cmd the flags for moments, and those of filterFlags that names lists.
func (f *filter) flags(cmd *cobra.Command, until bool, names ...string) {
	cmd.Flags().StringVar(&f.since, "since", "", "only what was mapped after a `MOMENT`: start, peak, 1.5s, seq:123")
	if until {
		cmd.Flags().StringVar(&f.until, "until", "", "up to a `MOMENT`, the same as LOG@MOMENT")
	}
	for _, name := range names {
		for i := range filterFlags {
			if filterFlags[i].name == name {
				cmd.Flags().StringVar(&f.words[i], name, "", filterFlags[i].about)
			}
		}
	}
}

// parse checks and compiles the values of the flags.
func (f *filter) parse(cmd *cobra.Command) (a analysis.Filter, err error) {
	for i, to := range [...]**regexp.Regexp{&a.Kind, &a.Function, &a.File, &a.Thread} {
		if f.words[i] == "" {
			continue
		}
		if *to, err = regexp.Compile(f.words[i]); err != nil {
			return a, misused(cmd, "--%s %s: not a regular expression: %v", filterFlags[i].name, f.words[i], err)
		}
	}
	if f.since != "" {
		m, err := analysis.ParseMoment(f.since)
		if err != nil {
			return a, misused(cmd, "--since: %v", err)
		}
		a.Since = &m
	}
	return a, nil
}

// open opens LOG, LOG@MOMENT, or LOG up to --until.
func (f *filter) open(cmd *cobra.Command, arg string) (*logFile, error) {
	log, err := openLogFile(cmd, arg)
	if err != nil || f.until == "" {
		return log, err
	}
	if log.name != arg {
		log.close()
		return nil, misused(cmd, "--until %s: %s has a moment already", f.until, arg)
	}
	at, err := analysis.ParseMoment(f.until)
	if err != nil {
		log.close()
		return nil, misused(cmd, "--until: %v", err)
	}
	log.at = at
	return log, nil
}
