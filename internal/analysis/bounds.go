package analysis

import (
	"strconv"

	"github.com/vmblame/vmblame/internal/eventlog"
)

// A Bound is a limit on memory, and how close a process is to it.
type Bound struct {
	Name    string `json:"name"`              // as the log's header has it, rlimit_as, rlimit_data, rlimit_memlock, max_map_count; cgroup_max or cgroup_high; commit_limit, of the machine; hugepages, of which numbers are told
	State   string `json:"state"`             // "limited", "unlimited" or "not recorded"
	Value   *int64 `json:"value,omitempty"`   // bytes, or a number; absent where there is none, or none was recorded
	Used    *int64 `json:"used,omitempty"`    // the same; absent where it was not counted
	Hits    *int64 `json:"hits,omitempty"`    // how often it was hit during the recording; only for those of a cgroup
	Refused int    `json:"refused,omitempty"` // calls of the process that failed because of it
	Near    bool   `json:"near"`              // at least 80 % of it are used, or it was hit, or refused a call
}

// The states of a Bound.
const (
	Limited     = "limited"
	Unlimited   = "unlimited"
	NotRecorded = "not recorded"
)

// nearPercent is the percentage in use from which a bound counts as near.
const nearPercent = 80

// bounds returns the limits that apply to p, always the same list. figures is the snapshot nearest to the moment, nil
// for none.
func (s *State) bounds(p *process, figures *snapshot, vmas int) []Bound {
	var list []Bound
	put := func(name string, value, used *int64, state string) {
		b := Bound{Name: name, State: state, Value: value, Used: used}
		if value != nil && used != nil {
			b.Near = *value > 0 && float64(*used) >= float64(*value)*nearPercent/100
			if name == "rlimit_memlock" && *used > *value {
				b.Near = false // the process has CAP_IPC_LOCK or has raised its limit: the recorded one does not apply
			}
		}
		for _, x := range s.failures.list {
			if l := s.limitOf(x); x.space.ID == p.ID && l != nil && (l.Name == name || l.Name == "nr_hugepages" && name == "hugepages" || l.Name == "overcommit_memory" && name == "commit_limit") {
				b.Refused += x.Times
			}
		}
		b.Near = b.Near || b.Refused > 0
		list = append(list, b)
	}
	var system eventlog.System
	if figures != nil {
		system = figures.system
	}
	figure := func(word string) *int64 {
		if n, ok := system[word]; ok {
			return &n
		}
		return nil
	}
	// The recorded limits are those of the first process, which its children inherit. Other processes that were
	// attached to have limits of their own.
	inherits := p.first || p.Cause != "attach"
	limit := func(name string, used *int64) {
		v, known := s.setting(name), inherits
		if p.Environment != nil {
			if own, ok := s.recordedOf(p.Environment, name); ok {
				v, known = own, true // an entrypoint may set limits before it executes the program
			}
		}
		if now, changed := s.limits[p.ID][name]; changed {
			v, known = &now, true
		}
		switch {
		case v == nil || !known:
			put(name, nil, used, NotRecorded)
		case *v == "unlimited":
			put(name, nil, used, Unlimited)
		default:
			if n, err := strconv.ParseInt(*v, 10, 64); err == nil {
				put(name, &n, used, Limited)
			} else {
				put(name, nil, used, NotRecorded)
			}
		}
	}
	limit("rlimit_as", ptr(int64(p.Ledger.Bytes())))
	limit("rlimit_data", ptr(data(p.Ledger)))
	limit("rlimit_memlock", figure("locked"))
	if n := s.maxMaps(); n > 0 {
		put("max_map_count", &n, ptr(int64(vmas)), Limited)
	} else {
		put("max_map_count", nil, ptr(int64(vmas)), NotRecorded)
	}
	events := system
	if s.end != nil && len(s.end.System) > 0 && s.Moment.Kind == AtEnd {
		events = s.end.System // a process that was killed has no snapshot of its end
	}
	for _, name := range [...]string{"cgroup_max", "cgroup_high"} {
		used := figure("cgroup_current")
		v, hits := figure(name), (*int64)(nil)
		if n, ok := events[name+"_events"]; ok {
			hits = &n
		}
		switch {
		case v == nil && used == nil && name == "cgroup_max":
			// Earlier versions recorded the bound of the innermost group alone.
			switch h := s.setting("cgroup_memory_max"); {
			case h == nil || !inherits:
				put(name, nil, nil, NotRecorded)
			case *h == "max":
				put(name, nil, nil, Unlimited)
			default:
				if n, err := strconv.ParseInt(*h, 10, 64); err == nil {
					put(name, &n, nil, Limited)
				} else {
					put(name, nil, nil, NotRecorded)
				}
			}
		case v == nil && used == nil:
			continue
		case v == nil:
			put(name, nil, used, Unlimited)
		default:
			put(name, v, used, Limited)
		}
		b := &list[len(list)-1]
		if b.Hits = hits; hits != nil && *hits > 0 {
			b.Near = true
		}
	}
	// The kernel limits committed memory only in strict overcommit mode.
	switch v := s.environment("overcommit_memory"); {
	case v == "2":
		put("commit_limit", figure("commit_limit"), figure("committed"), Limited)
		if b := &list[len(list)-1]; b.Value == nil {
			b.State = NotRecorded
		}
	case v == "":
		put("commit_limit", nil, nil, NotRecorded)
	default:
		put("commit_limit", nil, figure("committed"), Unlimited)
	}
	if total, free := figure("hugepages"), figure("hugepages_free"); total != nil && free != nil {
		if *total > 0 {
			put("hugepages", total, ptr(*total-*free), Limited)
			b := &list[len(list)-1]
			b.Near = b.Refused > 0 // huge pages are reserved in order to be used
		}
	}
	return list
}
