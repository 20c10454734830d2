// Package order puts calls on an address space in the order in which the kernel served them, and owns every call and
// record that waits for its place.
//
// The returns of two threads are not seen in the kernel's order: it drops mmap_lock before the return is seen, and
// returns are seen by thread, not by time. Where two calls touch the same pages the order matters. It is established
// in one of two ways; everything after that is the same:
//
//   - A source that stops a thread at the entry of its call lets it be held. A [Gate], one for each address
//     space, says who may be in the kernel beside whom. A call that conflicts with one in flight waits at its
//     entry until that one has returned; a removal is settled at its entry, what the kernel placed at its
//     return; then calls that do not conflict may be recorded in any order.
//   - A source that knows a call's place (a time stamp taken under mmap_lock, tracer.Stop.Order) needs no Gate:
//     nothing is held and nothing is settled early. [Stamps] hands the calls out in the order of their stamps, as
//     far as the source has said that it is complete, and they are settled in that order.
//
// A call's place is settled when [Queue.Begin] numbers its event, and that number is its place in the log for
// ever, unless it is given up. The [Queue], one for the whole recording, takes all records in the order of
// their places and hands them on in batches; what comes after an event whose call has not returned yet waits
// behind it.
//
// The package reads no file, knows no thread and no clock: whether a call is stuck, and what time it is, is handed
// in. A Gate, a Stamps and a Queue belong to the goroutine that handles stops; methods of a Queue that other
// goroutines may call say so.
package order
