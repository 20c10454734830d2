package analysis

import "testing"

func TestProcessName(t *testing.T) {
	for _, c := range []struct {
		argv            []string
		comm, exe, want string
	}{
		{[]string{"redis-server", "*:6379"}, "redis-server", "/usr/bin/redis-check-rdb", "redis-server"},
		{[]string{"/usr/sbin/nginx"}, "nginx", "/usr/sbin/nginx", "nginx"},
		{[]string{"nginx: worker process"}, "nginx", "/usr/sbin/nginx", "nginx: worker process"},
		{[]string{"postgres: io worker 0    "}, "postgres", "/usr/lib/postgresql/17/bin/postgres", "postgres: io worker 0"},
		{[]string{"/opt/My App/app"}, "app", "/opt/My App/app", "app"},
		{[]string{"/usr/lib/chromium/chromium --type=renderer --url=http://a/b"}, "chromium", "/usr/lib/chromium/chromium", "chromium"},
		{[]string{"-bash"}, "bash", "/usr/bin/bash", "bash"},
		{[]string{""}, "worker", "/usr/bin/x", "worker"},
		{nil, "kthreadd", "", "kthreadd"},
		{nil, "", "/usr/bin/x", "x"},
		{nil, "", "", ""},
	} {
		if got := ProcessName(c.argv, c.comm, c.exe); got != c.want {
			t.Errorf("%q %s %s: %q, want %q", c.argv, c.comm, c.exe, got, c.want)
		}
	}
}
