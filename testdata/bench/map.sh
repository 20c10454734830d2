#!/bin/bash
# map.sh: what one `vmblame map` takes beside pmap -X, smem and, of a Java VM, jcmd, for processes of 30, 2,000 and 60,000 rows: wall
# time, processor time and peak memory, medians of 7 that take turns. VMBLAME is the executable, OUT has memory_rows and peak. What
# is not installed is left out. Java's own tool talks to the VM, which works meanwhile: its processor time is not in the figure.
set -euo pipefail
cd "$(dirname "$0")"
. ./turns.sh
tmp=$(mktemp -d) ROUNDS=7 CPU=0
declare -A line place
names=() targets=()
ends() {
	for pid in "${targets[@]}"; do kill "$pid" 2>/dev/null || true; done
	rm -rf "$tmp"
}
trap ends EXIT

# target WORD COMMAND: starts it, waits until it has written a line with WORD, and sets pid
target() {
	local word=$1
	shift
	mkfifo "$tmp/in"
	sleep infinity >"$tmp/in" &
	targets+=($!)
	"$@" <"$tmp/in" >"$tmp/said" 2>/dev/null &
	pid=$!
	targets+=("$pid")
	rm "$tmp/in"
	until grep -q "$word" "$tmp/said"; do [ -d "/proc/$pid" ] || exit 1; sleep 0.1; done
}

# shows ROWS: the medians of what took turns
shows() {
	local name
	for name in map pmap smem jcmd; do
		has "$name-$1" && printf '%-22s %8s rows %9s ms %9s ms of processor %8s MiB\n' "$name" "$(wc -l <"/proc/$pid/maps")" "$(ms "$name-$1")" "$(ms "$name-$1.cpu")" \
			"$(awk -v k="$(median "$name-$1.kb")" 'BEGIN { printf "%.1f", k / 1024 }')"
	done
	return 0
}

compare() {
	candidate "map-$1" "$VMBLAME map $pid" free
	if type pmap >/dev/null 2>&1; then candidate "pmap-$1" "pmap -X $pid" free; fi
	if type smem >/dev/null 2>&1; then candidate "smem-$1" "smem -m -P ^$2" free; fi
	if [ "$1" = java ]; then candidate "jcmd-$1" "jcmd $pid VM.native_memory summary" free; fi
	turns
	shows "$1"
}

for rows in 30 2000 60000; do
	target ready "$OUT/memory_rows" "$rows"
	compare "$rows" "$OUT/memory_rows"
	kill "$pid" && wait "$pid" 2>/dev/null || true
done
if type java jcmd >/dev/null 2>&1; then
	printf 'public class Waits { public static void main(String[] a) throws Exception { System.out.println("ready"); System.in.read(); } }\n' >"$tmp/Waits.java"
	target ready java -XX:NativeMemoryTracking=summary "$tmp/Waits.java"
	compare java java.-XX:Native
fi
