package vm

import "testing"

func TestPerms(t *testing.T) {
	for p := range Perms(16) {
		s := p.String()
		for i, letter := range "rwxs" {
			want := letter
			if p&(1<<i) == 0 {
				want = rune("---p"[i])
			}
			if rune(s[i]) != want {
				t.Errorf("%d: %q", p, s)
			}
		}
		if got, err := ParsePerms(s); err != nil || got != p {
			t.Errorf("ParsePerms(%q) = %v, %v", s, got, err)
		}
	}
	for _, bad := range []string{"", "rw-", "rw-pp", "wr-p", "rw--", "RW-p", "rwx?", "rwé"} {
		if got, err := ParsePerms(bad); err == nil {
			t.Errorf("ParsePerms(%q) = %v", bad, got)
		}
	}
	if got := ProtPerms(ProtRead | ProtExec | ProtGrowsDown); got != Read|Exec {
		t.Errorf("ProtPerms = %v", got)
	}
}

func TestDev(t *testing.T) {
	for s, d := range map[string]Dev{"00:00": {}, "fe:00": {0xfe, 0}, "08:01": {8, 1}, "103:100000": {0x103, 0x100000}, "ffffffff:0f": {1<<32 - 1, 15}} {
		if d.String() != s {
			t.Errorf("%v.String() = %q, want %q", [2]uint32{d.Major, d.Minor}, d, s)
		}
		if got, err := ParseDev(s); err != nil || got != d {
			t.Errorf("ParseDev(%q) = %v, %v", s, got, err)
		}
	}
	for _, bad := range []string{"", "00", ":", "00:", ":00", "g:00", "00:00:00", "-1:00", "100000000:00", "00:100000000"} {
		if got, err := ParseDev(bad); err == nil {
			t.Errorf("ParseDev(%q) = %v", bad, got)
		}
	}
}

func TestSliceAndSameKind(t *testing.T) {
	file := Mapping{Range{0x10000, 0x20000}, Read, 0x3000, File{Dev{8, 1}, 5, "/a"}}
	anon := Mapping{Range{0x10000, 0x20000}, Read, 0, File{Path: "[heap]"}}
	part := Range{0x12000, 0x30000}
	if got, want := file.Slice(part), (Mapping{Range{0x12000, 0x20000}, Read, 0x5000, file.File}); got != want {
		t.Errorf("Slice = %v, want %v", got, want)
	}
	if got := anon.Slice(part); got.Offset != 0 || got.Start != 0x12000 {
		t.Errorf("Slice = %v", got)
	}
	if !file.SameKind(file.Slice(part)) || !anon.SameKind(anon.Slice(part)) {
		t.Error("a piece is not of its mapping's kind")
	}
	for _, change := range []func(*Mapping){
		func(m *Mapping) { m.Offset += PageSize },
		func(m *Mapping) { m.Start += PageSize },
		func(m *Mapping) { m.Perms |= Shared },
		func(m *Mapping) { m.File.Path += " (deleted)" },
		func(m *Mapping) { m.File.Inode++ },
	} {
		o := file
		if change(&o); file.SameKind(o) {
			t.Errorf("%v is of the kind of %v", o, file)
		}
	}
	for f, want := range map[File]bool{
		{}:                                 false,
		{Path: "[heap]"}:                   false,
		{Path: "[anon:x]"}:                 false,
		{Path: "/x"}:                       true,
		{Dev: Dev{0, 1}, Path: "/SYSV0"}:   true,
		{Dev: Dev{0, 1}, Inode: 4}:         true,
		{Inode: 4, Path: "[anon_shmem:x]"}: true,
	} {
		if got := f.Backed(); got != want {
			t.Errorf("%+v.Backed() = %v", f, got)
		}
	}
}

func TestOpKind(t *testing.T) {
	seen := map[string]OpKind{}
	for k := range OpPages + 1 {
		s := k.String()
		if o, dup := seen[s]; dup || s == "" || s == "unknown" {
			t.Errorf("kind %d is %q, as is %d", k, s, o)
		}
		seen[s] = k
	}
	if s := (OpPages + 1).String(); s != "unknown" {
		t.Errorf("kind after the last is %q", s)
	}
	for advice, want := range map[uint64]bool{0: true, 2: true, 3: false, 4: false, 8: false, 9: false, 10: true, 19: true, 20: false, 100: false, 102: false} {
		if got := AdviceChangesFlags(advice); got != want {
			t.Errorf("AdviceChangesFlags(%d) = %v", advice, got)
		}
	}
}
