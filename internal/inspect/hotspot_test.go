package inspect

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/vm"
)

// TestHotSpot holds what is found of a Java VM against its native memory tracking: each range is one that the VM tells
// of, and what it tells of is found, but for few small ones.
func TestHotSpot(t *testing.T) {
	testenv.Need(t, "java", "javac", "jcmd")
	dir := t.TempDir()
	source := filepath.Join(dir, "Waits.java")
	if err := os.WriteFile(source, []byte(`public class Waits {
		public static void main(String[] a) throws Exception {
			System.out.println("ready");
			while (System.in.read() >= 0);
		}
	}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if b, err := exec.Command("javac", source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	for _, collector := range []string{"-XX:+UseG1GC", "-XX:+UseSerialGC", "-XX:+UseParallelGC", "-XX:+UseZGC", "-XX:+UseShenandoahGC"} {
		t.Run(collector, func(t *testing.T) {
			_, l, found := command(t, "java", collector, "-Xmx200m", "-XX:NativeMemoryTracking=detail", "-cp", dir, "Waits")
			out, err := exec.Command("jcmd", strconv.Itoa(l.PID), "VM.native_memory", "detail").Output()
			if err != nil {
				t.Fatalf("jcmd: %v", err)
			}
			told := map[string]map[vm.Range]bool{}
			for _, m := range regexp.MustCompile(`\[0x(\w+) - 0x(\w+)\] reserved.* for ([\w ]+) from`).FindAllStringSubmatch(string(out), -1) {
				if told[m[3]] == nil {
					told[m[3]] = map[vm.Range]bool{}
				}
				told[m[3]][vm.Range{Start: hex(m[1]), End: hex(m[2])}] = true
			}
			for _, f := range found {
				name := map[classify.Kind]string{classify.JVMHeap: "Java Heap", classify.JVMCodeCache: "Code", classify.JVMClassSpace: "Class",
					classify.JVMGC: "GC", classify.JVMMetaspace: "Metaspace", classify.JVMCDS: "Shared class space", classify.ThreadStack: "Thread Stack"}[f.Kind]
				if name == "" {
					continue
				}
				// ZGC's heap has a part in each view of it, others one.
				var whole rangeSet
				for _, p := range f.Parts {
					whole.add(p.Range)
					if e := l.row(p.Start); f.Kind == classify.ThreadStack && (p.Kind == classify.StackGuard) == (e.Perms&(vm.Read|vm.Write) != 0) {
						t.Errorf("%v is %v and %v", p.Range, p.Kind, e.Perms)
					}
				}
				for _, r := range whole.ranges() {
					if name == "Thread Stack" && !told[name][r] {
						continue // of a thread that is not Java's, or the guard of glibc's beside Java's stack
					}
					if !told[name][r] {
						t.Errorf("%v %v: NMT has %v", name, r, told[name])
					}
					delete(told[name], r)
				}
			}
			for _, name := range []string{"Java Heap", "Code", "Class", "GC", "Metaspace", "Shared class space"} {
				for r := range told[name] {
					if r.Len() > 256<<10 {
						t.Errorf("%v of %s not found", r, name)
					}
				}
			}
		})
	}
}

func hex(s string) uint64 {
	v, err := strconv.ParseUint(s, 16, 64)
	if err != nil {
		panic(err)
	}
	return v
}
