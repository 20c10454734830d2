#!/bin/bash
# attach.sh LOG BACKEND PROGRAM ARG...: runs the program with VMBLAME attached to it, or with strace where BACKEND is
# "strace", and ends as the program ends.
log=$1 backend=$2
shift 2
"$@" &
pid=$!
if [ "$backend" = strace ]; then
	strace -q -f -o "$log" -p "$pid" 2>/dev/null &
else
	"$VMBLAME" attach -q --backend "$backend" -o "$log" "$pid" &
fi
wait "$pid"
rc=$?
wait
exit $rc
