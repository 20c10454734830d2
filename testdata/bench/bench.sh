#!/bin/bash
# bench.sh: what an event costs. VMBLAME=path/to/vmblame OUT=dir/of/programs bench.sh
# Everything runs on one CPU, the candidates take turns, medians are taken, and the time of the same
# program untraced is taken off. An event is one mmap or munmap with its stack of 24 frames. Beside the wall
# time stands the processor time of tracer and program together: on a quiet machine they are the same.
# ROUNDS (7), PAIRS (20000), CPU (the first allowed) can be set. BENCH_STRICT=1: exit 1 past a limit.
set -eu -o pipefail
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
VMBLAME=${VMBLAME:-$(command -v vmblame || true)}
OUT=${OUT:-$here/../build}
ROUNDS=${ROUNDS:-7} PAIRS=${PAIRS:-20000} WALK_PAIRS=${WALK_PAIRS:-100} OTHERS=${OTHERS:-1000000} MEMORY_PAIRS=${MEMORY_PAIRS:-500000} ATTACHED=${ATTACHED:-10000000}
CPU=${CPU:-$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//')}
DEPTH=18 # 24 frames, see pairs.c

[ -x "$VMBLAME" ] || { echo "bench: no vmblame: set VMBLAME to its path" >&2; exit 2; }
for p in bare pairs others peak; do
	[ -x "$OUT/$p" ] || { echo "bench: $OUT/$p: not built: make -C testdata OUT=$OUT $p" >&2; exit 2; }
done
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# once NAME COMMAND...: one run, its wall time in µs appended to NAME's list, processor time and peak memory to others
once() {
	local name=$1 wall cpu kb rc
	shift
	rm -f "$tmp/log" "$tmp/result"
	taskset -c "$CPU" "$OUT/peak" "$tmp/result" "$@" >"$tmp/stdout" 2>"$tmp/stderr" || true
	read -r wall cpu kb rc <"$tmp/result"
	if [ "$rc" != 0 ]; then
		echo "bench: $name: exit status $rc: $(tail -n 2 "$tmp/stderr")" >&2
		[ "$name" = perf ] && return 1
		exit 1
	fi
	echo "$wall" >>"$tmp/$name"
	echo "$cpu" >>"$tmp/$name.cpu"
	echo "$kb" >>"$tmp/$name.kb"
}

median() { sort -n "$tmp/$1" | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
spread() { sort -n "$tmp/$1" | awk '{ v[NR] = $1 } END { printf "%d-%d", v[1] / 1000, v[NR] / 1000 }'; }

vmblame=("$VMBLAME" run -q -o "$tmp/log")
sigtrap=("$VMBLAME" run -q --backend sigtrap -o "$tmp/log")
export VMBLAME
"${sigtrap[@]}" "$OUT/others" 0 2>"$tmp/stderr" || { tail -n 2 "$tmp/stderr" >&2; sigtrap=(); }
strace=$(command -v strace || true)
perf=
if command -v perf >/dev/null && once perf perf trace -e mmap,munmap -o /dev/null "$OUT/pairs" 10 "$DEPTH" 2>/dev/null; then
	perf=$(command -v perf)
	rm -f "$tmp"/perf "$tmp"/perf.*
fi

for ((round = 0; round < ROUNDS; round++)); do
	once untraced "$OUT/pairs" "$PAIRS" "$DEPTH"
	once bare "$OUT/bare" "$OUT/pairs" "$PAIRS" "$DEPTH"
	once vmblame "${vmblame[@]}" -- "$OUT/pairs" "$PAIRS" "$DEPTH"
	[ ${#sigtrap[@]} = 0 ] || once sigtrap "${sigtrap[@]}" -- "$OUT/pairs" "$PAIRS" "$DEPTH"
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
	if [ ${#sigtrap[@]} != 0 ]; then
		once others-sigtrap "${sigtrap[@]}" -- "$OUT/others" "$OTHERS"
	fi
	# Attached: a loop of other calls, and one with a pair in 200. Each candidate has as many as fill a second or so.
	for every in 0 200; do
		once "attach$every-untraced" "$OUT/others" "$ATTACHED" $every
		[ ${#sigtrap[@]} = 0 ] || once "attach$every-sigtrap" "$here/attach.sh" "$tmp/log" sigtrap "$OUT/others" "$ATTACHED" $every
		once "attach$every-syscall" "$here/attach.sh" "$tmp/log" syscall "$OUT/others" $((ATTACHED / 50)) $every
		[ -z "$strace" ] || once "attach$every-strace" "$here/attach.sh" "$tmp/log" strace "$OUT/others" $((ATTACHED / 50)) $every
	done
done
once memory "${vmblame[@]}" -- "$OUT/pairs" "$MEMORY_PAIRS" "$DEPTH"

events=$((2 * PAIRS))
over=0

# cost NAME LESS N: µs an event of NAME's median, less that of LESS, for N events
cost() { awk -v t="$(median "$1")" -v b="$(median "$2")" -v n="$3" 'BEGIN { printf "%.2f", (t - b) / n }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }
ms() { awk -v t="$(median "$1")" 'BEGIN { printf "%.1f", t / 1000 }'; }

# judge VALUE MOST: whether a limit is kept
judge() {
	verdict=kept
	awk -v v="$1" -v l="$2" 'BEGIN { exit !(v <= l) }' || verdict=OVER over=1
}

row() { printf '%-26s %9s %9s %8s %8s %14s  %-8s %s\n' "$@"; }

# pairs_row TITLE NAME LESS N [LIMIT]
pairs_row() {
	local wall cpu times limit='' verdict=''
	wall=$(cost "$2" "$3" "$4") cpu=$(cost "$2.cpu" "$3.cpu" "$4")
	times=$(ratio "$wall" "$bare")
	[ -z "${5:-}" ] || { judge "$times" "$5"; limit="<= $5"; }
	row "$1" "$wall" "$cpu" "$times" "$(ratio "$cpu" "$bare_cpu")" "$(spread "$2")" "$limit" "$verdict"
}

bare=$(cost bare untraced "$events") bare_cpu=$(cost bare.cpu untraced.cpu "$events")
echo "$(uname -sr), CPU $CPU of $(nproc), $ROUNDS rounds, $events events of 24 frames a run"
echo
row 'mmap/munmap pairs' us/event cpu 'x bare' cpu 'wall ms' limit ''
row untraced "$(cost untraced start "$events")" "$(cost untraced.cpu start.cpu "$events")" '' '' "$(spread untraced)" '' ''
pairs_row 'bare C loop, no stacks' bare untraced "$events"
pairs_row 'vmblame, stacks' vmblame untraced "$events" 1.80
[ ${#sigtrap[@]} = 0 ] || pairs_row 'vmblame sigtrap, stacks' sigtrap untraced "$events"
pairs_row 'vmblame --no-stacks' nostacks untraced "$events"
[ -z "$perf" ] || pairs_row 'perf trace, no stacks' perf untraced "$events"
if [ -n "$strace" ]; then
	pairs_row 'strace -f, no stacks' strace untraced "$events"
	pairs_row 'strace -f -k, stacks' strace-k strace-k-start $((2 * WALK_PAIRS))
	times=$(ratio "$(cost strace-k strace-k-start $((2 * WALK_PAIRS)))" "$(cost vmblame untraced "$events")")
	judge "-$times" -100
	row '  times vmblame' "$times" '' '' '' '' '>= 100' "$verdict"
fi
echo
row "$OTHERS other calls" 'wall ms' 'cpu ms' 'x untr.' cpu 'wall ms' limit ''
for name in untraced bare vmblame $([ ${#sigtrap[@]} = 0 ] || echo sigtrap); do
	times=$(ratio "$(median others-$name)" "$(median others-untraced)") limit='' verdict=''
	[ $name != vmblame ] || { judge "$times" 1.4; limit='<= 1.40'; }
	row "$name" "$(ms others-$name)" "$(ms others-$name.cpu)" "$times" \
		"$(ratio "$(median others-$name.cpu)" "$(median others-untraced.cpu)")" "$(spread others-$name)" "$limit" "$verdict"
done
row '  vmblame of no calls' "$(ms vmblame-start)" "$(ms vmblame-start.cpu)" '' '' "$(spread vmblame-start)" '' ''
echo
# Of the candidates' shorter loops the start of the tracer is a greater part: it counts as theirs.
for every in 0 200; do
	row "attached, a pair in $every" us/call '' 'x untr.' '' 'wall ms' limit ''
	for name in untraced sigtrap syscall strace; do
		[ -s "$tmp/attach$every-$name" ] || continue
		n=$ATTACHED
		case $name in syscall | strace) n=$((ATTACHED / 50)) ;; esac
		call=$(awk -v t="$(median "attach$every-$name")" -v n="$n" 'BEGIN { printf "%.3f", t / n }')
		[ $name != untraced ] || untraced=$call
		times=$(ratio "$call" "$untraced") limit='' verdict=''
		[ $name != sigtrap ] || { most=1.1; [ $every = 0 ] || most=2; judge "$times" $most; limit="<= $most"; }
		row "  $name" "$call" '' "$times" '' "$(spread "attach$every-$name")" "$limit" "$verdict"
	done
	echo
done
mib=$(awk '{ printf "%.1f", $1 / 1024 }' "$tmp/memory.kb")
judge "$mib" 60
row "$((2 * MEMORY_PAIRS)) events" '' '' '' '' '' '' ''
row '  peak memory, MiB' "$mib" '' '' '' '' '<= 60' "$verdict"
row '  log, MB' "$(awk -v b="$(stat -c %s "$tmp/log")" 'BEGIN { printf "%.0f", b / 1e6 }')" '' '' '' '' '' ''
[ -z "${BENCH_STRICT:-}" ] || exit $over
