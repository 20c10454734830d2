package analysis

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/classify"
)

// worthwhile is the least number of bytes that advice must save to be given.
const worthwhile = 4 << 20

// advice lists what would help p, the largest saving first. size formats a number of bytes; rows is how many the kernel has.
func (s *State) advice(p *process, size func(int64) string, rows int) []Advice {
	by := map[classify.Kind]*classify.Usage{}
	recorded := func(name string) string {
		if v, _ := s.recorded(p, name); v != nil {
			return *v
		}
		return ""
	}
	for _, t := range s.objects(p) {
		u := by[t.kind]
		if u == nil {
			u = &classify.Usage{Row: s.known.Row(t.kind), Size: size, Recorded: recorded, Loaded: func(is func(callers.Module) bool) bool { return s.loaded(p, is) }}
			by[t.kind] = u
		}
		u.Things = append(u.Things, t.reserved)
		u.Reserved += t.reserved
		u.Committed += t.committed
		u.Resident += t.rss
		u.Swapped += t.swap
		u.Fullest = max(u.Fullest, t.rss)
		u.Known = u.Known || t.asked > 0
	}
	list := []Advice{}
	for _, k := range s.known.Kinds() {
		u := by[k]
		if u == nil || u.Row.Settings.Known(recorded, p.Argv) {
			continue
		}
		if n, text := u.Row.Advise(u); text != "" && n >= worthwhile {
			list = append(list, Advice{k, n, text})
		}
	}
	if a, ok := s.adviseVMAs(rows); ok {
		list = append(list, a)
	}
	slices.SortStableFunc(list, func(a, b Advice) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return list
}

// loaded reports whether such a file is mapped.
func (s *State) loaded(p *process, is func(callers.Module) bool) bool {
	return slices.ContainsFunc(p.mappings, func(x mapping) bool {
		return x.File.Inode != 0 && is(callers.Module{Path: x.File.Path, Role: s.names.role(x.File)})
	})
}

// adviseVMAs warns of processes close to the kernel's limit of mappings.
func (s *State) adviseVMAs(rows int) (Advice, bool) {
	n := int64(rows)
	limit := s.maxMaps()
	if limit == 0 || n < limit*8/10 {
		return Advice{}, false
	}
	return Advice{Text: fmt.Sprintf("%d of %d mappings are in use, then mmap fails: sysctl vm.max_map_count=%d allows more; report --vmas tells who has them", n, limit, 4*limit)}, true
}
