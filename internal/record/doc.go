// Package record is the pipeline: it takes stops from a tracer, orders calls (package order), enters their effects in
// each address space (package mm), walks and names stacks (packages unwind, modules, naming), and hands records to
// sinks. Only this package knows all the parts; it prints nothing and knows no output format.
//
// Which goroutine owns what:
//
//   - The tracer's goroutine is the one that calls Run or Attach, locked to the process's first thread, for ptrace
//     belongs to a thread. It owns the Recorder and all that hangs from it: tasks, spaces with their ledgers and
//     gates, the module table, the stack walker, and the queue but for what is said below. Nothing of that is
//     locked.
//   - The sinks' goroutine (output.deliver) takes batches of records from the queue, and what is in them, until it
//     gives them back; it alone calls sinks. With Options.Names it also names frames.
//   - The namer (nameFrames) names frames in the background otherwise, reading files that the module table has
//     opened, and sends its records to the queue. naming.Names has a lock of its own.
//   - One goroutine rings every 200 ms (wake.regularly), one takes signals (signals), timers run on their own. What
//     they want of a Recorder they ask with wake.ask, which has it done on the tracer's goroutine.
package record
