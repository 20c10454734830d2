package procfs

import (
	"os"
	"strconv"
	"syscall"

	"github.com/vmblame/vmblame/internal/vm"
)

// FD is the file of a descriptor of a task: /proc/TID/fd/N (proc_pid_fd(5)). Device and inode are stat(2)'s; those of
// /proc/TID/maps differ on overlays and subvolumes. ok is false for what is no regular file: a device may map another.
func FD(tid, fd int) (file vm.File, ok bool) {
	link := path(tid, "fd/"+strconv.Itoa(fd))
	name, err := os.Readlink(link)
	var st syscall.Stat_t
	if err != nil || syscall.Stat(link, &st) != nil || st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return vm.File{}, false
	}
	dev := st.Dev // include/linux/kdev_t.h, new_decode_dev and what glibc adds to it
	major, minor := dev>>8&0xfff|dev>>32&^0xfff, dev&0xff|dev>>12&^0xff
	return vm.File{Dev: vm.Dev{Major: uint32(major), Minor: uint32(minor)}, Inode: st.Ino, Path: name}, true
}
