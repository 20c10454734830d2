# turns.sh: read by bench.sh. Candidates take turns, and medians are taken.

# candidate NAME COMMAND [WHERE]: NAME takes part in the next turns. COMMAND is a line for the shell, run on one processor
# unless WHERE is "free".
candidate() { names+=("$1"); line[$1]=$2; place[$1]=${3:-pinned}; }

# once NAME: one run; wall time and processor time in µs and peak memory in KiB are appended to NAME's lists.
once() {
	local wall cpu kb rc on=()
	[ "${place[$1]}" = free ] || on=(taskset -c "$CPU")
	rm -f "$tmp/log" "$tmp/result" "$tmp/took"
	"${on[@]}" "$OUT/peak" "$tmp/result" bash -c "exec ${line[$1]}" >"$tmp/stdout" 2>"$tmp/stderr" || true
	read -r wall cpu kb rc <"$tmp/result"
	if [ "$rc" != 0 ]; then
		echo "bench: $1: exit status $rc: $(tail -n 2 "$tmp/stderr")" >&2
		exit 1
	fi
	[ ! -s "$tmp/took" ] || read -r wall <"$tmp/took" # it has timed itself
	echo "$wall" >>"$tmp/$1"
	echo "$cpu" >>"$tmp/$1.cpu"
	echo "$kb" >>"$tmp/$1.kb"
}

# turns [ROUNDS]: the candidates run, one after the other, so many times.
turns() {
	local round name
	for ((round = 0; round < ${1:-$ROUNDS}; round++)); do
		for name in "${names[@]}"; do once "$name"; done
	done
	names=()
}

has() { [ -s "$tmp/$1" ]; }
median() { sort -n "$tmp/$1" | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
spread() { sort -n "$tmp/$1" | awk -v u="${2:-1000}" '{ v[NR] = $1 } END { printf "%.4g-%.4g", v[1] / u, v[NR] / u }'; }
# each NAME LESS N: µs of NAME's median for each of N events, that of LESS taken off
each() { awk -v t="$(median "$1")" -v b="$(median "$2")" -v n="$3" 'BEGIN { printf "%.2f", (t - b) / n }'; }
# beyond NAME LESS N [.cpu]: the same of NAME beyond its own start, that of LESS beyond its own taken off
beyond() {
	awk -v t="$(median "$1${4:-}")" -v s="$(median "$1-start${4:-}")" -v b="$(median "$2${4:-}")" -v c="$(median "$2-start${4:-}")" -v n="$3" \
		'BEGIN { printf "%.2f", (t - s - b + c) / n }'
}
times() { awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.2f", a / b; else printf "?" }'; }
ms() { awk -v t="$(median "$1")" 'BEGIN { printf "%.1f", t / 1000 }'; }

# judge VALUE WORD LIMIT: sets verdict to whether VALUE is at most, or at least, LIMIT
judge() {
	verdict=reached
	awk -v v="$1" -v w="$2" -v l="$3" 'BEGIN { exit !(w == "most" ? v + 0 <= l : v + 0 >= l) }' || verdict=short over=1
}

row() { printf '%-34s %10s %9s %8s %7s %13s  %-8s %s\n' "$@"; }

# result TITLE VALUE CPU TIMES CPUTIMES NAME [UNIT] [most|least LIMIT]
result() {
	local limit='' verdict=''
	[ -z "${9:-}" ] || { judge "$4" "$8" "$9"; limit="$([ "$8" = most ] && echo '<=' || echo '>=') $9"; }
	row "$1" "$2" "$3" "$4" "$5" "$(spread "$6" "${7:-1000}")" "$limit" "$verdict"
}
