package report

import (
	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/text"
)

// Failed is the text of a Failed: what failed, a paragraph for each place.
func Failed(f *analysis.Failed, s text.Style) []byte {
	var b []byte
	if len(f.Calls) == 0 {
		return append(b, s.Say("no mapping call failed up to %s", momentText(&f.At, s))+"\n"...)
	}
	head := s.Say("%s failed up to %s, at %s", s.Count(f.Times, "mapping call", "mapping calls"), momentText(&f.At, s), s.Count(len(f.Calls), "place", "places"))
	b = append(b, text.Fold(head, s.Lines(), "  ")+"\n"...)
	for i := range f.Calls {
		c := &f.Calls[i]
		b = append(b, '\n')
		b = append(b, s.Paint(text.Kind, text.Fold(text.Printable(failedText(c, s)), s.Lines(), "  "))+"\n"...)
		room := max(s.Lines()-10, 0)
		line := func(name, value string) {
			b = append(b, text.Indented(headOf(name, 7), text.Printable(value), s.Lines())+"\n"...)
		}
		line(s.Word("who"), whoText(c.Who, s, room))
		line(s.Word("process"), s.Say("%d %s, thread %s", c.PID, processText(c.Name, c.Exe), analysis.ThreadLabel(c.TID, c.Thread)))
		line(s.Word("call"), c.Made)
		when := s.Say("%s, event %d", text.When(c.T), c.Event)
		if c.Times > 1 {
			when += s.Say("; %d times until %s", c.Times, text.When(c.Last))
		}
		line(s.Word("at"), when)
	}
	return append(b, text.Commands(s.Word("next: "), s.Lines(), "vmblame report "+s.Log)...)
}

// failedText is what failed and why: "mmap of 6.0 GiB: ENOMEM: RLIMIT_AS is 2.9 GiB (ulimit -v), 2.3 MiB were mapped".
func failedText(c *analysis.FailedCall, s text.Style) string {
	t := s.Say("%s: %s", c.Call, c.Error)
	if c.Asked > 0 {
		t = s.Say("%s of %s: %s", c.Call, s.Size(c.Asked), c.Error)
	}
	if why := limitText(c, s); why != "" {
		t += s.Word(": ") + why
	}
	return t
}

// limitText is what a call ran against, "" where that is not known.
func limitText(c *analysis.FailedCall, s text.Style) string {
	l := c.Limit
	if l == nil {
		return ""
	}
	var value, used int64
	if l.Value != nil {
		value = *l.Value
	}
	if l.Used != nil {
		used = *l.Used
	}
	switch l.Name {
	case "rlimit_as":
		return s.Say("RLIMIT_AS is %s (ulimit -v), %s were mapped", s.Size(value), s.Size(used))
	case "rlimit_data":
		return s.Say("RLIMIT_DATA is %s (ulimit -d), %s of writable private memory were mapped", s.Size(value), s.Size(used))
	case "rlimit_memlock":
		return s.Say("RLIMIT_MEMLOCK is %s (ulimit -l)", s.Size(value))
	case "max_map_count":
		return s.Say("vm.max_map_count is %d, %d mappings stood", value, used)
	case "nr_hugepages":
		return s.Word("too few huge pages are free, it seems (vm.nr_hugepages)")
	case "overcommit_memory":
		return s.Say("more than the kernel promises, it seems (vm.overcommit_memory is %d); no other limit was near", value)
	case "addresses":
		return s.Say("the address space is not that large (%s, %s of it mapped)", s.Size(value), s.Size(used))
	case "not mapped":
		return s.Word("a part of the range was not mapped")
	}
	return l.Name
}

// refusedText is the line of a headline about calls that were refused memory, "" for none. It names the command that
// tells more where s names a log.
func refusedText(list []analysis.FailedCall, s text.Style) string {
	if len(list) == 0 {
		return ""
	}
	times := 0
	for i := range list {
		times += list[i].Times
	}
	c := &list[0]
	t := s.Say("failed: %s; %s at %s", failedText(c, s), whoText(c.Who, s, 60), text.When(c.T))
	if times > 1 {
		t += s.Say("; %d calls in all", times)
	}
	if s.Log != "" {
		t += s.Word(": ") + "vmblame failed " + s.Log
	}
	return text.Fold(text.Printable(t), s.Lines(), "        ") + "\n"
}
