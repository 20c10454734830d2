package mm

import (
	"syscall"
	"testing"

	"github.com/vmblame/vmblame/internal/vm"
)

// among applies a call after which the kernel has served others before it shows maps.
func (x *test) among(op vm.Op, ret Return, maps string, late ...Late) []string {
	x.Helper()
	x.show(maps)
	x.event++
	ret.Event = x.event
	return lines(x.s.ApplyAmong(&op, ret, late, nil))
}

func late(op vm.Op, value uint64) Late {
	return Late{Op: &op, Ret: Return{Value: value * vm.PageSize}}
}

// Where later calls have been, what they say of the time before counts, and not what the kernel shows.
func TestAmongLateCalls(t *testing.T) {
	const file = "10-20 r--p 7/0 /file\n"
	ofFile := fixedAt(at(0x10, 0x14), 0)
	ofFile.Flags &^= vm.MapAnonymous
	failed := Return{Errno: syscall.ENODEV}

	x := begin(t, file)
	x.expect(x.among(ofFile, failed, "12-14 rw-p\n14-20 r--p 7/4 /file\n", late(anonymous(2), 0x12)),
		"10-14 r--p/file > -") // the kernel has given away a part of the room that it made

	x = begin(t, file)
	x.expect(x.among(ofFile, failed, file, late(protect(at(0x10, 0x12), vm.ProtRead), 0))) // it could only be done to what is there

	x = begin(t, file)
	x.expect(x.among(ofFile, failed, "11-20 r--p 7/1 /file\n", late(onRange(vm.OpUnmap, at(0x10, 0x11)), 0)), "unseen")
	if x.s.Uncertain() {
		t.Error("whatever was there is gone now")
	}
	refused := Late{Op: &ofFile, Ret: failed}
	x.expect(x.among(ofFile, failed, "12-20 r--p 7/2 /file\n", refused), "unseen")
	if !x.s.Uncertain() {
		t.Error("which of two calls has removed it is not known")
	}

	x = begin(t, "10-12 rw-p\n")
	x.expect(x.among(protect(at(0x10, 0x14), vm.ProtRead), Return{Errno: syscall.ENOMEM}, "", late(onRange(vm.OpUnmap, at(0x10, 0x12)), 0)),
		"10-12 rw-p > r--p")
}
