#!/bin/bash
# bench.sh: what it costs to name addresses (`make bench-names`). It builds a C++ program of UNITS (2000) compile
# units and a Go program, and measures them, libc with its debug file and rustc's driver library where there
# is one. Results are printed as the table of docs/names.md. HUGE=N adds a library of N compile units of two
# megabytes each, which takes five times the room while it is built: 850 make a file of 1.8 GB.
set -eu -o pipefail
cd "$(dirname "$0")"
UNITS=${UNITS:-2000}
tmp=${TMP_NAMES:-$(mktemp -d)}
[ -n "${TMP_NAMES:-}" ] || trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/units"
CGO_ENABLED=0 go build -o "$tmp/names" .
if [ ! -e "$tmp/units2000" ]; then
	"$tmp/names" -units "$tmp/units" "$UNITS"
	(cd "$tmp/units" && ls ./*.cc | xargs -n 25 -P "$(nproc)" g++ -g -O2 -c && g++ -g -o "$tmp/units2000" ./*.o)
fi
[ -e "$tmp/cmd_go" ] || CGO_ENABLED=0 go build -o "$tmp/cmd_go" cmd/go
if [ -n "${HUGE:-}" ] && [ ! -e "$tmp/huge.so" ]; then
	# One unit, compiled once; its copies differ in the names of their symbols.
	mkdir -p "$tmp/big" "$tmp/copies"
	"$tmp/names" -units "$tmp/big" 64
	cat "$tmp"/big/unit*.cc >"$tmp/big.cc"
	g++ -g -gz=none -O2 -fPIC -c -o "$tmp/big.o" "$tmp/big.cc"
	(cd "$tmp/copies" && seq "$HUGE" | xargs -P "$(nproc)" -I{} objcopy --prefix-symbols=copy{}_ ../big.o {}.o &&
		printf '%s\n' ./*.o >../list && g++ -shared -nostdlib -o ../huge.so @../list)
	rm -rf "$tmp/copies"
fi
libc=$(realpath "$(gcc -print-file-name=libc.so.6)")
rustc=$(ls "$(rustc --print sysroot 2>/dev/null)"/lib/librustc_driver-*.so 2>/dev/null | head -n 1 || true)
"$tmp/names" "$libc" "$tmp/units2000" "$tmp/cmd_go" ${rustc:+"$rustc"} ${HUGE:+"$tmp/huge.so"}
