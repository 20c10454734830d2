# Runs a program under gdb to its mark (an mmap of MARK bytes) and prints the pc of each physical frame,
# innermost first: inlined functions are no frames, and tail calls are inferred by gdb, not on the stack.
import gdb

MARK = 0x7ab1000

for setting in ("pagination off", "confirm off", "startup-with-shell off", "breakpoint pending on",
                "backtrace past-main on", "backtrace past-entry on", "backtrace limit unlimited"):
    gdb.execute("set " + setting)
gdb.execute("handle all nostop noprint pass", to_string=True)
gdb.execute("catch syscall mmap", to_string=True)
gdb.execute("condition 1 $rsi == %d" % MARK)
gdb.execute("run", to_string=True)
frame = gdb.newest_frame()
while frame is not None and frame.is_valid():
    if frame.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
        print("PC %#x" % frame.pc())
    try:
        frame = frame.older()
    except gdb.error as e:
        print("ERROR %s" % e)
        break
gdb.execute("kill", to_string=True)
