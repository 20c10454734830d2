package vm

import (
	"bufio"
	"bytes"
	"errors"
	"strconv"
	"strings"
)

// A MapRow is a row that the kernel, or pmap, shows for a part of an address space.
type MapRow struct {
	Range
	Perms    string // "" where the text has none
	Resident int64  // bytes, -1 where the text has none
	Path     string
}

// ErrNoRows is returned for a text that holds no row of a memory map.
var ErrNoRows = errors.New("no row of /proc/PID/maps, smaps or pmap in it")

// ParseMapText reads the text of /proc/PID/maps, of /proc/PID/smaps, or what pmap prints, with or without -x, -X,
// -XX, -d and -p; or single rows of these. Other lines are skipped. pid is the process that pmap names, 0 if the text
// names none.
func ParseMapText(text []byte) (rows []MapRow, pid int, err error) {
	in := bufio.NewScanner(bytes.NewReader(text))
	in.Buffer(nil, 1<<20)
	var head pmapHead
	foreign := false // the last row is [vsyscall], which is not a mapping of the process
	for in.Scan() {
		line := in.Text()
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if row, ok := mapsRow(f, line); ok {
			if foreign = row.Start >= VsyscallStart; !foreign {
				rows = append(rows, row)
			}
			continue
		}
		if f[0] == "Rss:" && len(rows) > 0 && len(f) == 3 {
			if foreign {
				continue
			}
			if kb, err := strconv.ParseInt(f[1], 10, 40); err == nil {
				rows[len(rows)-1].Resident = kb << 10
			}
			continue
		}
		if n, ok := strings.CutSuffix(f[0], ":"); ok && len(rows) == 0 {
			if v, err := strconv.Atoi(n); err == nil {
				pid = v
				continue
			}
		}
		if f[0] == "Address" {
			head = pmapHead{f, strings.LastIndex(line, "Mapping")}
			continue
		}
		if row, ok := pmapRow(f, line, head); ok {
			rows = append(rows, row)
		}
	}
	if err := in.Err(); err != nil {
		return nil, 0, err
	}
	if len(rows) == 0 {
		return nil, 0, ErrNoRows
	}
	return rows, pid, nil
}

// mapsRow reads a row of maps: "7f0000000000-7f0000001000 rw-p 00000000 00:00 0   path".
func mapsRow(f []string, line string) (MapRow, bool) {
	r, err := ParseRange(f[0])
	if err != nil || !strings.Contains(f[0], "-") {
		return MapRow{}, false
	}
	row := MapRow{Range: r, Resident: -1}
	if len(f) > 1 && len(f[1]) == 4 {
		row.Perms = f[1]
	}
	if len(f) > 5 {
		// The path may have blanks in it.
		if i := strings.Index(line, " "+f[4]+" "); i >= 0 {
			row.Path = strings.TrimSpace(line[i+len(f[4])+2:])
		}
	}
	return row, true
}

// A pmapHead is pmap's heading line, which names the columns. The zero value is no heading.
type pmapHead struct {
	names   []string
	mapping int // where in the line the last column begins
}

// pmapRow parses a row of pmap: an address, then the columns that head names. Without a heading the form of the row
// tells them: the size ("132K") and the mode, or those of -x, or those of -X and -XX.
func pmapRow(f []string, line string, head pmapHead) (MapRow, bool) {
	start, err := strconv.ParseUint(f[0], 16, 64)
	if err != nil || start%PageSize != 0 || start >= VsyscallStart || len(f[0]) < 8 || len(f) < 3 {
		return MapRow{}, false
	}
	row := MapRow{Resident: -1}
	size, ok := uint64(0), false
	switch names := head.names; {
	case len(names) > 0:
	case strings.HasSuffix(f[1], "K"):
		size, ok = kilobytes(strings.TrimSuffix(f[1], "K"))
		row.Perms = pmapPerms(f[2])
		row.Path = strings.Join(f[3:], " ")
	case len(f) > 4 && len(f[4]) == 5 && strings.Trim(f[4], "rwxsR-") == "":
		head.names = []string{"Address", "Kbytes", "RSS", "Dirty", "Mode", "Mapping"}
	case len(f) > 6 && len(f[1]) == 4 && strings.Trim(f[1], "rwxsp-") == "" && strings.Contains(f[3], ":"):
		head.names = []string{"Address", "Perm", "Offset", "Device", "Inode", "Size"}
		if last := f[len(f)-1]; strings.Trim(last, "0123456789") != "" {
			row.Path = last
		}
	}
	for i, name := range head.names {
		if i >= len(f) {
			break
		}
		switch name {
		case "Kbytes", "Size":
			size, ok = kilobytes(f[i])
		case "RSS", "Rss":
			if v, ok := kilobytes(f[i]); ok {
				row.Resident = int64(v)
			}
		case "Mode", "Perm":
			row.Perms = pmapPerms(f[i])
		case "VmFlags":
			// VmFlags are several words, so the columns after them are found by their position in the heading.
			if at := head.mapping; at > 0 && at < len(line) && line[at-1] == ' ' {
				row.Path = strings.TrimSpace(line[at:])
			}
		case "Mapping":
			if head.names[i-1] != "VmFlags" {
				row.Path = strings.Join(f[i:], " ")
			}
		}
	}
	row.Range = Range{Start: start, End: start + size}
	if !ok || row.Empty() {
		return MapRow{}, false
	}
	return row, true
}

func kilobytes(s string) (uint64, bool) {
	v, err := strconv.ParseUint(s, 10, 44)
	return v << 10, err == nil
}

// pmapPerms turns pmap's "rw---" and "rw-s-" into the kernel's "rw-p" and "rw-s".
func pmapPerms(s string) string {
	if len(s) == 5 {
		share := "p"
		if s[3] == 's' {
			share = "s"
		}
		return s[:3] + share
	}
	return s
}

// ParseRange reads "START-END", or an address alone, which is the byte there; both are hexadecimal with or
// without 0x.
func ParseRange(s string) (Range, error) {
	from, to, two := strings.Cut(s, "-")
	start, err := ParseAddress(from)
	if err != nil {
		return Range{}, err
	}
	if !two {
		if start+1 == 0 {
			return Range{}, errAddress
		}
		return Range{Start: start, End: start + 1}, nil
	}
	end, err := ParseAddress(to)
	if err != nil {
		return Range{}, err
	}
	if end <= start {
		return Range{}, errors.New("the range ends before it begins")
	}
	return Range{Start: start, End: end}, nil
}

var errAddress = errors.New("not an address: hexadecimal digits, with or without 0x")

// ParseAddress reads a hexadecimal address with or without 0x.
func ParseAddress(s string) (uint64, error) {
	v, err := strconv.ParseUint(strings.TrimPrefix(strings.TrimPrefix(s, "0x"), "0X"), 16, 64)
	if err != nil {
		return 0, errAddress
	}
	return v, nil
}
