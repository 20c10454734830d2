package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/text"
)

// An answer holds the flags that report, blame, history and diff have in common: they say in which form a command
// answers.
type answer struct {
	json  bool
	bytes bool
	wide  bool
	pids  []int
}

func (a *answer) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&a.json, "json", false, "answer in JSON, sizes in bytes")
	f.BoolVar(&a.bytes, "bytes", false, "exact numbers of bytes")
	f.BoolVar(&a.wide, "wide", false, "lines as wide as what they say, names of functions whole")
	f.IntSliceVar(&a.pids, "pid", nil, "only the process with this `PID`")
}

// look is how the text on standard output looks.
func (a *answer) look(cmd *cobra.Command, log string) text.Style {
	l := look(cmd, os.Stdout)
	l.Bytes, l.Whole, l.Wide, l.Log = a.bytes, a.wide, a.wide, quote(log)
	return l
}

// give writes v as JSON or, through tell, as text. It adds to v, for the files whose functions have no names, how to
// get those names.
func give[T any](a *answer, cmd *cobra.Command, v *T, tell func(*T, text.Style) []byte, nameless []analysis.Unnamed, l text.Style, logs ...string) error {
	supply(nameless)
	return a.print(cmd, func() []byte { return appendHints(tell(v, l), nameless, l, logs...) }, func() any { return v })
}

// print writes text, or v as JSON where that was asked for.
func (a *answer) print(cmd *cobra.Command, text func() []byte, v func() any) error {
	w := bufio.NewWriter(cmd.OutOrStdout())
	if a.json {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(v()); err != nil {
			return failed("%s: %w", cmd.Name(), err)
		}
	} else {
		w.Write(text())
	}
	if err := w.Flush(); err != nil {
		return failed("%s: write the answer: %w", cmd.Name(), err)
	}
	return nil
}

// sizeValue is a flag that takes a size: "100M", "64KiB", "4096".
type sizeValue int64

func (v *sizeValue) String() string { return strconv.FormatInt(int64(*v), 10) }

func (v *sizeValue) Type() string { return "SIZE" }

func (v *sizeValue) Set(s string) error {
	n, err := parseSize(s)
	*v = sizeValue(n)
	return err
}

func parseSize(s string) (int64, error) {
	number := strings.TrimRight(s, "kKmMgGtTiIbB ")
	unit := strings.ToLower(strings.TrimSpace(s[len(number):]))
	unit = strings.TrimSuffix(strings.TrimSuffix(unit, "b"), "i")
	shift, ok := map[string]uint{"": 0, "k": 10, "m": 20, "g": 30, "t": 40}[unit]
	f, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(f >= 0) || f*float64(int64(1)<<shift) > 1<<62 {
		return 0, errors.New("not a size: 4096, 64K, 100M, 1.5G")
	}
	return int64(f * float64(int64(1)<<shift)), nil
}
