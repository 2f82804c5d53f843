package fs

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/sqlite"
)

func TestTmpScans(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cat")
	if err := fillBench(path, 1000); err != nil {
		t.Fatal(err)
	}
	tmpMeasure(t, path, "ls $0 | wc -l; ", "ls -l $0 | wc -l", "ls -R $0/999/ | wc -l", "ls -lR $0/0/ | wc -l", "ls $0/by-host/*/* | wc -l")
}

func tmpMeasure(t *testing.T, path string, jobs ...string) {
	mp := t.TempDir()
	server := exec.Command(os.Args[0])
	server.Env = append(os.Environ(), serverVariable+"="+mp, benchVariable+"="+path)
	server.Stderr = os.Stderr
	t0 := time.Now()
	out, _ := server.StdoutPipe()
	server.Start()
	out.Read(make([]byte, 10))
	t.Log("ready", time.Since(t0))
	for _, j := range jobs {
		t0 = time.Now()
		o, err := exec.Command("sh", "-c", j, mp).CombinedOutput()
		t.Log(j, time.Since(t0), string(o), err)
	}
	o, _ := exec.Command("grep", "VmHWM", fmt.Sprintf("/proc/%d/status", server.Process.Pid)).CombinedOutput()
	t.Log(string(o))
	Unmount(mp, true)
	server.Wait()
}

func TestTmpMillion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cat")
	ctx := context.Background()
	cat, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cat.Claim(ctx, catalog.RepositoryID{1})
	c := int64(0)
	id := func() catalog.ID { c++; return catalog.NewID(0, c) }
	src := catalog.Source{ID: id(), Host: "h", Root: "/"}
	if err := cat.Apply(ctx, &catalog.Batch{Begin: &catalog.Begin{Source: src, After: -1}}); err != nil {
		t.Fatal(err)
	}
	e := func(dir catalog.ID, name string, k catalog.Kind) catalog.Entry {
		return catalog.Entry{ID: id(), Source: src.ID, Dir: dir, Name: name, Last: catalog.Open, Ino: id(), Kind: k, Mode: 0o755, Nlink: 1}
	}
	top := e(0, "", catalog.Directory)
	part := int64(1)
	for d := 0; d < 1000; d += 50 {
		b := &catalog.Batch{Part: part}
		part++
		if d == 0 {
			b.Opened = append(b.Opened, top)
		}
		for i := 0; i < 50; i++ {
			dir := e(top.Ino, fmt.Sprintf("d%06d", d+i), catalog.Directory)
			b.Opened = append(b.Opened, dir)
			for f := 0; f < 1000; f++ {
				b.Opened = append(b.Opened, e(dir.Ino, fmt.Sprintf("a-file-with-a-name-%06d", f), catalog.File))
			}
		}
		if d == 950 {
			b.End = &catalog.End{Finished: 1, State: catalog.Complete}
		}
		if err := cat.Apply(ctx, b); err != nil {
			t.Fatal(err)
		}
	}
	cat.Close()
	tmpMeasure(t, path, "ls $0", "find $0/0/ | wc -l", "find $0/0/ -printf '%s\n'| wc -l")
}
