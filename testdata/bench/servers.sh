#!/bin/bash
# servers.sh DIR ROUNDS REQUESTS "BACKEND...": redis-benchmark and pgbench against servers to which vmblame is attached, and
# to which nobody is, in turns. Requests and transactions per second are appended to the files DIR/WORK-BACKEND.
set -eu -o pipefail
dir=$1 rounds=$2 requests=$3 backends=$4
pids=()
cleanup() {
	local pid
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
	wait || true
}
trap cleanup EXIT

# attached BACKEND PID COMMAND...: COMMAND while vmblame is attached to PID and its children; "untraced" for nobody
attached() {
	local backend=$1 target=$2 tracer= status=0
	shift 2
	if [ "$backend" != untraced ]; then
		rm -f "$dir/log"
		"$VMBLAME" attach -q --backend "$backend" -o "$dir/log" "$target" 2>"$dir/stderr" &
		tracer=$!
		until grep -q '^TracerPid:[[:space:]]*[1-9]' "/proc/$target/status" && [ -s "$dir/log" ]; do sleep 0.02; done
	fi
	"$@" || status=$?
	if [ -n "$tracer" ]; then
		kill -INT "$tracer"
		wait "$tracer" || true
	fi
	return $status
}

redis() {
	local server socket=$dir/redis.sock round backend work
	redis-server --port 0 --unixsocket "$socket" --save '' --appendonly no --dir "$dir" >"$dir/redis.out" 2>&1 &
	server=$!
	pids+=("$server")
	until redis-cli -s "$socket" ping >/dev/null 2>&1; do sleep 0.05; done
	for ((round = 0; round < rounds; round++)); do
		for backend in untraced $backends; do
			for work in SET GET; do
				attached "$backend" "$server" redis-benchmark -s "$socket" -t "${work,,}" -n "$requests" -c 20 --csv >"$dir/redis.csv" 2>/dev/null
				sed -n "s/^\"$work\",\"\([0-9.]*\)\".*/\1/p" "$dir/redis.csv" >>"$dir/$work-$backend"
			done
		done
	done
}

postgres() {
	local bin data=$dir/pg server round backend as=()
	bin=$(dirname "$(ls -d /usr/lib/postgresql/*/bin/initdb /usr/local/pgsql/bin/initdb 2>/dev/null | tail -n 1)")
	mkdir -m 700 "$data"
	if [ "$(id -u)" = 0 ]; then
		id postgres >/dev/null 2>&1 || return 0
		chmod 711 "$dir"
		chown postgres "$data"
		as=(setpriv --reuid postgres --regid postgres --clear-groups)
	fi
	cd "$data"
	"${as[@]}" "$bin/initdb" -A trust -U bench -D "$data/db" >"$data.out" 2>&1
	"${as[@]}" "$bin/postgres" -D "$data/db" -k "$data" -c listen_addresses= -c fsync=off >"$data.out" 2>&1 &
	server=$!
	pids+=("$server")
	until "$bin/pg_isready" -q -h "$data" -U bench; do sleep 0.1; done
	pgbench() { "$bin/pgbench" -h "$data" -U bench "$@" postgres; }
	pgbench -i -q >"$data.out" 2>&1
	for ((round = 0; round < rounds; round++)); do
		for backend in untraced $backends; do
			attached "$backend" "$server" pgbench -S -c 4 -t $((requests / 40)) >"$data.out" 2>&1
			sed -n 's/^tps = \([0-9.]*\).*without initial.*/\1/p' "$data.out" >>"$dir/pgbench-$backend"
		done
	done
}

! command -v redis-benchmark redis-server redis-cli >/dev/null || redis
[ -z "$(ls -d /usr/lib/postgresql/*/bin/initdb /usr/local/pgsql/bin/initdb 2>/dev/null)" ] || postgres
