#!/bin/bash
# bench.sh: what vmblame costs, its backends seccomp and sigtrap beside each other and beside others who could do the work.
# VMBLAME=path/to/vmblame OUT=dir/of/programs bench.sh [events|others|advice|attach|servers|programs|reading]...
# Candidates take turns and medians are taken; where "pinned" stands everything runs on one processor, else the kernel
# places it. The last columns of a table: how often the wall time, and the processor time of tracer and program together, of
# what it is compared with (on a quiet machine the same where it is pinned), the least and most of the runs, what is to be
# reached and whether it is. What the machine lacks is left out.
# ROUNDS (7), QUICK=1 (3 rounds, less work), CPU (the first allowed) can be set. BENCH_STRICT=1: exit 1 where one is short.
set -eu -o pipefail
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
VMBLAME=${VMBLAME:-$(command -v vmblame || true)}
OUT=${OUT:-$here/../build}
if [ -n "${QUICK:-}" ]; then
	ROUNDS=${ROUNDS:-3} PAIRS=${PAIRS:-4000} WALK_PAIRS=30 OTHERS=300000 ATTACHED=2000000 READ_PAIRS=100000 REQUESTS=20000
else
	ROUNDS=${ROUNDS:-7} PAIRS=${PAIRS:-10000} WALK_PAIRS=60 OTHERS=1000000 ATTACHED=6000000 READ_PAIRS=500000 REQUESTS=100000
fi
CPU=${CPU:-$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//')}

[ -x "$VMBLAME" ] || { echo "bench: no vmblame: set VMBLAME to its path" >&2; exit 2; }
for p in bare pairs others advises forks peak; do
	[ -x "$OUT/$p" ] || { echo "bench: $OUT/$p: not built: make -C testdata OUT=$OUT $p" >&2; exit 2; }
done
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export VMBLAME OUT XDG_CACHE_HOME=$tmp/cache
mkdir -p "$tmp/cache"
names=() over=0
declare -A line place
# shellcheck source-path=SCRIPTDIR
. "$here/turns.sh"

engines=(seccomp)
! "$VMBLAME" run -q --backend sigtrap -o "$tmp/log" "$OUT/others" 0 2>"$tmp/stderr" || engines+=(sigtrap)
strace=$(command -v strace || true)
quiet=(--seccomp-bpf -f -e trace=%memory) # strace of mapping calls, without stacks

# run ENGINE [FLAGS]: the beginning of a command line
run() { echo "$VMBLAME run -q --backend $1 -o $tmp/log ${2:-} --"; }

# events TITLE NAME WHERE FRAMES "ARGS" "NONE" EVENTS LIMIT [all]: pairs with ARGS under each tracer, held against the bare
# loop. What the same takes with the arguments NONE, the start, is taken off.
events() {
	local title=$1 name=$2 where=$3 frames=$4 args=$5 none=$6 n=$7 limit=$8 engine value cpu bare bare_cpu
	declare -A with=([untraced]='' [bare]="$OUT/bare")
	local engine all=(untraced bare "${engines[@]}")
	for engine in "${engines[@]}"; do with[$engine]=$(run "$engine"); done
	if [ -n "${9:-}" ]; then
		all+=(nostacks) with[nostacks]=$(run seccomp --no-stacks)
		[ -z "$strace" ] || all+=(strace) with[strace]="$strace ${quiet[*]} -o $tmp/log"
	fi
	for engine in "${all[@]}"; do
		candidate "$name-$engine" "${with[$engine]} $OUT/pairs $args" "$where"
		candidate "$name-$engine-start" "${with[$engine]} $OUT/pairs $none" "$where"
	done
	turns
	row "$title" us/event cpu 'x bare' 'x cpu' 'wall ms' '' ''
	for engine in "${all[@]:1}"; do
		value=$(beyond "$name-$engine" "$name-untraced" "$n") cpu=$(beyond "$name-$engine" "$name-untraced" "$n" .cpu)
		[ "$engine" != bare ] || bare=$value bare_cpu=$cpu
		case $engine in
		bare) title='  bare loop of two stops' ;;
		nostacks) title='  vmblame seccomp --no-stacks' ;;
		strace) title='  strace --seccomp-bpf, no stacks' ;;
		*) title="  vmblame $engine, $frames frames" ;;
		esac
		case $engine in
		seccomp | sigtrap) result "$title" "$value" "$cpu" "$(times "$value" "$bare")" "$(times "$cpu" "$bare_cpu")" "$name-$engine" 1000 most "$limit" ;;
		*) result "$title" "$value" "$cpu" "$(times "$value" "$bare")" "$(times "$cpu" "$bare_cpu")" "$name-$engine" ;;
		esac
	done
	echo
}

section_events() {
	local n=$((2 * PAIRS)) engine k value
	events 'an event, pinned' pin pinned 24 "$PAIRS 18" '0 18' $n 1.1 all
	events 'an event, not pinned' free free 24 "$PAIRS 18" '0 18' $n 0.9
	events 'depth 100, pinned' deep pinned 100 "$PAIRS 94" '0 94' $n 1.3
	events '5,000 mappings, pinned' many pinned 24 "$PAIRS 18 5000" '0 18 5000' $n 1.3
	events '8 threads, not pinned' eight free 23 "$PAIRS 18 0 8" '0 18 0 8' $n 1.3
	events '32 threads, not pinned' thirtytwo free 23 "$PAIRS 18 0 32" '0 18 0 32' $n 1.3
	[ -n "$strace" ] || return 0
	# slow: few events, less a run of none, so that the start (and its stacks) is not counted
	candidate walk-start "$strace -f -k -o $tmp/log $OUT/pairs 0 18"
	candidate walk "$strace -f -k -o $tmp/log $OUT/pairs $WALK_PAIRS 18"
	turns 3
	k=$(each walk.cpu walk-start.cpu $((2 * WALK_PAIRS)))
	row 'strace -f -k, pinned' 'cpu us' '' 'dearer' '' 'wall ms' '' ''
	for engine in "${engines[@]}"; do
		value=$(times "$k" "$(beyond "pin-$engine" pin-untraced "$n" .cpu)")
		result "  than vmblame $engine" "$k" '' "$value" '' walk 1000 least 200
	done
	echo
}

section_others() {
	local name limit
	candidate others-untraced "$OUT/others $OTHERS"
	candidate others-bare "$OUT/bare $OUT/others $OTHERS"
	for name in "${engines[@]}"; do candidate "others-$name" "$(run "$name") $OUT/others $OTHERS"; done
	turns
	row "$OTHERS other calls, pinned" 'wall ms' 'cpu ms' 'x untr.' 'x cpu' 'wall ms' '' ''
	for name in untraced bare "${engines[@]}"; do
		limit=()
		case $name in seccomp | sigtrap) limit=(1000 most 1.05) ;; esac
		result "  $name" "$(ms "others-$name")" "$(ms "others-$name.cpu")" "$(times "$(median "others-$name")" "$(median others-untraced)")" \
			"$(times "$(median "others-$name.cpu")" "$(median others-untraced.cpu)")" "others-$name" "${limit[@]}"
	done
	echo
}

# What --advice costs: pages are written to and given back by madvise, beside a recording that does not follow these calls.
section_advice() {
	local pages n engine name flags untraced
	export TOOK=$tmp/took # the loop's own time: the start of the tracer is not in it
	for pages in 1 256 4096; do
		n=$((PAIRS * 256 / pages / 16))
		n=$((n < PAIRS ? n : PAIRS))
		candidate "advice$pages-untraced" "$OUT/advises $n $pages"
		candidate "advice$pages-bare" "$OUT/bare $OUT/advises $n $pages"
		for engine in "${engines[@]}"; do
			candidate "advice$pages-$engine" "$(run "$engine") $OUT/advises $n $pages"
			candidate "advice$pages-$engine-advice" "$(run "$engine" --advice) $OUT/advises $n $pages"
		done
		turns
		row "$pages pages back by madvise, pinned" us/call '' 'x untr.' '' 'wall ms' '' ''
		untraced=$(call "advice$pages-untraced" "$n")
		for name in untraced "${engines[@]}" bare "${engines[@]/%/-advice}"; do
			flags=${name#*-}
			result "  ${name%-advice}$([ "$flags" != advice ] || echo ' --advice')" "$(call "advice$pages-$name" "$n")" '' "$(times "$(call "advice$pages-$name" "$n")" "$untraced")" '' "advice$pages-$name"
		done
		echo
	done
	unset TOOK
}

# call NAME N: µs of NAME's median for each of N calls
call() { awk -v t="$(median "$1")" -v n="$2" 'BEGIN { printf "%.3f", t / n }'; }

section_attach() {
	local every name n call untraced limit few=$((ATTACHED / 50))
	export TOOK=$tmp/took # the loop's own time: the start of the tracer is not in it
	for every in 0 200; do
		candidate "attach$every-untraced" "$OUT/others $ATTACHED $every"
		[ ${#engines[@]} = 1 ] || candidate "attach$every-sigtrap" "$here/attach.sh $tmp/log sigtrap $OUT/others $ATTACHED $every"
		candidate "attach$every-syscall" "$here/attach.sh $tmp/log syscall $OUT/others $few $every"
		[ -z "$strace" ] || candidate "attach$every-strace" "$here/attach.sh $tmp/log strace $OUT/others $few $every"
		turns
		[ $every = 0 ] && row 'attached, other calls, pinned' us/call '' 'x untr.' '' 'wall ms' '' '' ||
			row 'attached, a pair in 200, pinned' us/call '' 'x untr.' '' 'wall ms' '' ''
		for name in untraced sigtrap syscall strace; do
			has "attach$every-$name" || continue
			n=$ATTACHED limit=()
			case $name in syscall | strace) n=$few ;; esac
			call=$(call "attach$every-$name" "$n")
			[ "$name" != untraced ] || untraced=$call
			[ "$name" != sigtrap ] || limit=(1000 most "$([ $every = 0 ] && echo 1.1 || echo 2)")
			result "  $name" "$call" '' "$(times "$call" "$untraced")" '' "attach$every-$name" "${limit[@]}"
		done
		echo
	done
	unset TOOK
}

section_servers() {
	local work name
	"$here/servers.sh" "$tmp" "$ROUNDS" "$REQUESTS" "$([ ${#engines[@]} = 1 ] || echo sigtrap) syscall"
	for work in SET GET pgbench; do
		has "$work-untraced" || continue
		row "attached, $work, not pinned" per-second '' 'of untr.' '' per-second '' ''
		for name in untraced sigtrap syscall; do
			has "$work-$name" || continue
			limit=(1)
			[ "$name" != sigtrap ] || limit=(1 least 0.95)
			result "  $name" "$(median "$work-$name")" '' "$(times "$(median "$work-$name")" "$(median "$work-untraced")")" '' "$work-$name" "${limit[@]}"
		done
		echo
	done
}

# program NAME LIMIT COMMAND: the whole run of a program, held against strace without stacks
program() {
	local name=$1 limit=$2 engine
	command -v "${3%% *}" >/dev/null && eval "$3" >"$tmp/stdout" 2>&1 || return 0
	candidate "$name-untraced" "$3" free
	[ -z "$strace" ] || candidate "$name-strace" "$strace ${quiet[*]} -o $tmp/log $3" free
	for engine in "${engines[@]}"; do
		eval "$(run "$engine") $3" >"$tmp/stdout" 2>&1 || true # names are kept from now on
		candidate "$name-$engine" "$(run "$engine") $3" free
	done
	turns
	row "$name, not pinned" 'wall ms' 'cpu ms' 'x strace' 'x cpu' 'wall ms' '' ''
	for engine in untraced strace "${engines[@]}"; do
		has "$name-$engine" || continue
		local against=() relation='' by_cpu=''
		if has "$name-strace"; then
			relation=$(times "$(median "$name-$engine")" "$(median "$name-strace")")
			by_cpu=$(times "$(median "$name-$engine.cpu")" "$(median "$name-strace.cpu")")
		fi
		case $engine in seccomp | sigtrap) [ -z "$relation" ] || against=(1000 most "$limit") ;; esac
		result "  $engine" "$(ms "$name-$engine")" "$(ms "$name-$engine.cpu")" "$relation" "$by_cpu" "$name-$engine" "${against[@]}"
	done
	echo
}

section_programs() {
	echo 'int main(void) { return 0; }' >"$tmp/main.c"
	program 'true' 2 "$(type -P true)"
	program python3 1.15 "python3 -c 'import json, ssl, urllib.request'"
	program 'gcc -c' 1.15 "gcc -c -o $tmp/main.o $tmp/main.c"
	program 'node -e' 1.15 'node -e 0'
	program 'java -version' 1.15 'java -version'
	program '200 forks' 1.15 "$OUT/forks 200"
}

section_reading() {
	local log=$tmp/read.jsonl command at limit
	"$VMBLAME" run -q -o "$log" -- "$OUT/pairs" "$READ_PAIRS" 18
	at=$(sed -n '/"call":"munmap"/{s/.*"addr":"\(0x[0-9a-f]*\)".*/\1/p;q}' "$log")
	candidate read-report "$VMBLAME report $log" free
	candidate read-blame "$VMBLAME blame $log $at" free
	candidate read-history "$VMBLAME history $log $at" free
	candidate read-diff "$VMBLAME diff $log@start $log" free
	candidate read-check "$VMBLAME check $log" free
	candidate read-export "$VMBLAME export --json $log" free
	turns
	! command -v jq >/dev/null || { candidate read-jq "jq -n 'reduce inputs as \$r (0; . + 1)' $log" free; turns 1; }
	row "a log of $((2 * READ_PAIRS)) events" 'wall ms' 'cpu ms' 'peak MiB' '' 'wall ms' '' ''
	for command in report blame history diff check export jq; do
		has "read-$command" || continue
		limit=1000
		case $command in check | export) limit=3000 ;; esac
		verdict='' over=$over
		[ $command = jq ] || judge "$(ms "read-$command")" most $limit
		row "  $command" "$(ms "read-$command")" "$(ms "read-$command.cpu")" "$(awk -v k="$(median "read-$command.kb")" 'BEGIN { printf "%.1f", k / 1024 }')" '' \
			"$(spread "read-$command")" "$([ $command = jq ] || echo "<= $limit")" "$verdict"
	done
	row '  the log, MB' "$(awk -v b="$(stat -c %s "$log")" 'BEGIN { printf "%.0f", b / 1e6 }')" '' '' '' '' '' ''
	candidate read-record "$(run seccomp) $OUT/pairs $READ_PAIRS 18" free
	turns 1
	mib=$(awk '{ printf "%.1f", $1 / 1024 }' "$tmp/read-record.kb")
	judge "$mib" most 60
	row '  peak of the recording, MiB' "$mib" '' '' '' '' '<= 60' "$verdict"
	echo
}

echo "$(uname -sr), $(nproc) processors, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), load $(cut -d ' ' -f 1-3 /proc/loadavg), $ROUNDS rounds; $("$VMBLAME" --version)"
echo "pinned: processor $CPU; $((2 * PAIRS)) events a run"
echo
[ $# -gt 0 ] || set -- events others advice attach servers programs reading
for section; do "section_$section"; done
echo "load at the end: $(cut -d ' ' -f 1-3 /proc/loadavg)"
[ -z "${BENCH_STRICT:-}" ] || exit $over
