package tracer

import (
	"strings"
	"testing"
)

// FuzzStatus reads any bytes as /proc/TID/status and /proc/TID/stat, in which a program has its name as it likes.
func FuzzStatus(f *testing.F) {
	f.Add([]byte("Name:\ta) R\nUmask:\t0022\nState:\tt (tracing stop)\nTgid:\t41\nPPid:\t1\nTracerPid:\t7\nUid:\t1\t2\t3\t4\nNSpid:\t41\t3\n"+
		"Kthread:\t0\nSigPnd:\t0000000000000400\nShdPnd:\t0000000000000001\nSigBlk:\tffffffffffffffff\nSeccomp:\t2\n"),
		[]byte("41 (a) R) t 1 41 41 0 -1 4194304 1"))
	f.Fuzz(func(t *testing.T, text, stat []byte) {
		st := parseStatus(text)
		if strings.ContainsRune(st.name, '\n') || strings.TrimSpace(st.name) != st.name {
			t.Errorf("name %q", st.name)
		}
		isKernelThread(stat)
	})
}

func TestStatus(t *testing.T) {
	st := parseStatus([]byte("Name:\tsh\nState:\tS (sleeping)\nTgid:\t41\nUid:\t1000\t0\t0\t0\nNSpid:\t41\t3\nSigPnd:\t0000000000000400\nShdPnd:\t0000000000000001\n"))
	if st.name != "sh" || st.state != 'S' || st.tgid != 41 || st.uid != 1000 || st.nsTID != 3 || st.pending != 0x401 || st.kernel {
		t.Errorf("%+v", st)
	}
	if !isKernelThread([]byte("2 (a) b) S 0 0 0 0 -1 2129984 0")) || isKernelThread([]byte("41 (x) S 1 41 41 0 -1 4194304 1")) || isKernelThread(nil) {
		t.Error("kernel threads by /proc/TID/stat")
	}
}
