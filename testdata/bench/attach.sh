#!/bin/bash
# attach.sh LOG BACKEND PROGRAM ARG...: runs the program with VMBLAME attached to it from its beginning on, or with strace
# where BACKEND is "strace", and ends as the program ends.
log=$1 backend=$2
shift 2
rm -f "$log"
bash -c 'kill -STOP $$; exec "$@"' stopped "$@" &
pid=$!
until grep -q '^State:[[:space:]]*T' "/proc/$pid/status"; do sleep 0.01; done
if [ "$backend" = strace ]; then
	strace -q -f -o "$log" -p "$pid" 2>/dev/null &
else
	"$VMBLAME" attach -q --backend "$backend" -o "$log" "$pid" &
fi
until grep -q '^TracerPid:[[:space:]]*[1-9]' "/proc/$pid/status" && [ -e "$log" ]; do sleep 0.01; done
kill -CONT "$pid"
wait "$pid"
rc=$?
wait
exit $rc
