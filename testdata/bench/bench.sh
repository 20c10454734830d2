#!/bin/bash
# bench.sh: what an event costs. VMBLAME=path/to/vmblame OUT=dir/of/programs bench.sh
# Everything runs on one CPU, the candidates take turns, medians are taken, and the time of the same
# program untraced is taken off. An event is one mmap or munmap with its stack of 24 frames.
# ROUNDS (7), PAIRS (20000), CPU (the first allowed) can be set. BENCH_STRICT=1: exit 1 past a limit.
set -eu -o pipefail
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
VMBLAME=${VMBLAME:-$(command -v vmblame || true)}
OUT=${OUT:-$here/../build}
ROUNDS=${ROUNDS:-7} PAIRS=${PAIRS:-20000} WALK_PAIRS=${WALK_PAIRS:-100} OTHERS=${OTHERS:-1000000} MEMORY_PAIRS=${MEMORY_PAIRS:-500000}
CPU=${CPU:-$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//')}
DEPTH=18 # 24 frames, see pairs.c

[ -x "$VMBLAME" ] || { echo "bench: no vmblame: set VMBLAME to its path" >&2; exit 2; }
for p in bare pairs others peak; do
	[ -x "$OUT/$p" ] || { echo "bench: $OUT/$p: not built: make -C testdata OUT=$OUT $p" >&2; exit 2; }
done
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# once NAME COMMAND...: one run, its wall time in µs appended to NAME's list, its peak memory to NAME.kb's
once() {
	local name=$1 wall kb rc
	shift
	rm -f "$tmp/log" "$tmp/result"
	taskset -c "$CPU" "$OUT/peak" "$tmp/result" "$@" >"$tmp/stdout" 2>"$tmp/stderr" || true
	read -r wall kb rc <"$tmp/result"
	if [ "$rc" != 0 ]; then
		echo "bench: $name: exit status $rc: $(tail -n 2 "$tmp/stderr")" >&2
		[ "$name" = perf ] && return 1
		exit 1
	fi
	echo "$wall" >>"$tmp/$name"
	echo "$kb" >>"$tmp/$name.kb"
}

median() { sort -n "$tmp/$1" | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
spread() { sort -n "$tmp/$1" | awk '{ v[NR] = $1 } END { printf "%d-%d", v[1] / 1000, v[NR] / 1000 }'; }

vmblame=("$VMBLAME" run -q -o "$tmp/log")
strace=$(command -v strace || true)
perf=
if command -v perf >/dev/null && once perf perf trace -e mmap,munmap -o /dev/null "$OUT/pairs" 10 "$DEPTH" 2>/dev/null; then
	perf=$(command -v perf)
	rm -f "$tmp/perf" "$tmp/perf.kb"
fi

for ((round = 0; round < ROUNDS; round++)); do
	once untraced "$OUT/pairs" "$PAIRS" "$DEPTH"
	once bare "$OUT/bare" "$OUT/pairs" "$PAIRS" "$DEPTH"
	once vmblame "${vmblame[@]}" -- "$OUT/pairs" "$PAIRS" "$DEPTH"
	once nostacks "${vmblame[@]}" --no-stacks -- "$OUT/pairs" "$PAIRS" "$DEPTH"
	[ -z "$strace" ] || once strace "$strace" -f -o "$tmp/log" "$OUT/pairs" "$PAIRS" "$DEPTH"
	[ -z "$perf" ] || once perf "$perf" trace -e mmap,munmap -o "$tmp/log" "$OUT/pairs" "$PAIRS" "$DEPTH" || true
	once start "$OUT/pairs" 0 "$DEPTH"
	if [ -n "$strace" ]; then
		# slow: few events, less a run of none, so that the start (and its stacks) is not counted
		once strace-k-start "$strace" -f -k -o "$tmp/log" "$OUT/pairs" 0 "$DEPTH"
		once strace-k "$strace" -f -k -o "$tmp/log" "$OUT/pairs" "$WALK_PAIRS" "$DEPTH"
	fi
	once others-untraced "$OUT/others" "$OTHERS"
	once others-bare "$OUT/bare" "$OUT/others" "$OTHERS"
	once others-vmblame "${vmblame[@]}" -- "$OUT/others" "$OTHERS"
	once vmblame-start "${vmblame[@]}" -- "$OUT/others" 0
done
once memory "${vmblame[@]}" -- "$OUT/pairs" "$MEMORY_PAIRS" "$DEPTH"

events=$((2 * PAIRS))
base=$(median untraced)
per_event() { awk -v t="$(median "$1")" -v b="$base" -v n="$events" 'BEGIN { printf "%.2f", (t - b) / n }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }
over=0
# judge VALUE MOST: whether a limit is kept
judge() {
	if awk -v v="$1" -v l="$2" 'BEGIN { exit !(v <= l) }'; then verdict=kept; else verdict=OVER over=1; fi
}

bare=$(per_event bare)
ours=$(per_event vmblame)
echo "$(uname -sr), CPU $CPU of $(nproc), $ROUNDS rounds, $events events of 24 frames a run"
echo
printf '%-28s %12s %16s %10s %8s\n' 'mmap/munmap pairs' 'us/event' 'wall ms min-max' 'x bare' 'limit'
printf '%-28s %12s %16s\n' untraced "$(awk -v t="$base" -v n="$events" 'BEGIN { printf "%.2f", t / n }')" "$(spread untraced)"
printf '%-28s %12s %16s %10s\n' 'bare C loop, no stacks' "$bare" "$(spread bare)" 1.00
judge "$(ratio "$ours" "$bare")" 1.8
printf '%-28s %12s %16s %10s %8s %s\n' 'vmblame, stacks' "$ours" "$(spread vmblame)" "$(ratio "$ours" "$bare")" '<= 1.80' "$verdict"
v=$(per_event nostacks)
printf '%-28s %12s %16s %10s\n' 'vmblame --no-stacks' "$v" "$(spread nostacks)" "$(ratio "$v" "$bare")"
if [ -n "$strace" ]; then
	v=$(per_event strace)
	printf '%-28s %12s %16s %10s\n' 'strace -f, no stacks' "$v" "$(spread strace)" "$(ratio "$v" "$bare")"
	v=$(awk -v t="$(median strace-k)" -v b="$(median strace-k-start)" -v n=$((2 * WALK_PAIRS)) 'BEGIN { printf "%.2f", (t - b) / n }')
	printf '%-28s %12s %16s %10s\n' 'strace -f -k, stacks' "$v" "$(spread strace-k)" "$(ratio "$v" "$bare")"
	judge "-$(ratio "$v" "$ours")" -100
	printf '%-28s %12s %16s %10s %8s %s\n' '  times vmblame' "$(ratio "$v" "$ours")" '' '' '>= 100' "$verdict"
fi
if [ -n "$perf" ]; then
	v=$(per_event perf)
	printf '%-28s %12s %16s %10s\n' 'perf trace, no stacks' "$v" "$(spread perf)" "$(ratio "$v" "$bare")"
fi
echo
printf '%-28s %12s %16s %10s %8s\n' "$OTHERS other calls" 'wall ms' 'min-max' 'x untraced' 'limit'
u=$(median others-untraced)
for name in untraced bare vmblame; do
	t=$(median others-$name)
	limit='' verdict=''
	[ $name = vmblame ] && limit='<= 1.40' && judge "$(ratio "$t" "$u")" 1.4
	printf '%-28s %12s %16s %10s %8s %s\n' "$name" "$(awk -v t="$t" 'BEGIN { printf "%.1f", t / 1000 }')" "$(spread others-$name)" \
		"$(ratio "$t" "$u")" "$limit" "$verdict"
done
printf '%-28s %12s\n' '  of it start and end' "$(awk -v t="$(median vmblame-start)" 'BEGIN { printf "%.1f", t / 1000 }')"
echo
mib=$(awk '{ printf "%.1f", $1 / 1024 }' "$tmp/memory.kb")
judge "$mib" 60
printf '%-28s %12s %16s %10s %8s %s\n' "peak memory, $((2 * MEMORY_PAIRS)) events" "$mib MiB" '' '' '<= 60' "$verdict"
printf '%-28s %12s\n' "log of it" "$(awk -v b="$(stat -c %s "$tmp/log")" 'BEGIN { printf "%.0f MB", b / 1e6 }')"
[ -z "${BENCH_STRICT:-}" ] || exit $over
