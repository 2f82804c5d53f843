package test

import (
	"bytes"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/bus3/bus3/test/tree"
)

// noise is incompressible, and the same for each seed.
func noise(seed uint64, n int) []byte {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	out := make([]byte, n)
	_, _ = rand.NewChaCha8(key).Read(out) // never fails
	return out
}

// asNobody makes the rig's programs run as a user who may not read everything, if the tests run as root.
func (r *rig) asNobody() {
	r.t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	const nobody = 65534
	sh(r.t, "chown", "-R", "65534:65534", r.dir)
	r.run = func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
}

func TestWhatCannotBeReadIsToldAndTheRestIsThere(t *testing.T) {
	on(t, []combination{{false, false}, {false, true}}, func(t *testing.T, r *rig) {
		source := r.path("source")
		write(t, source, "readable", "x", "secret", "y", "closed/inside", "z", "open/inside", "w")
		r.asNobody()
		for _, name := range []string{"secret", "closed"} {
			if err := os.Chmod(filepath.Join(source, name), 0); err != nil {
				t.Fatal(err)
			}
		}
		stdout, stderr, code := r.try("backup", source)
		if code != 3 {
			t.Errorf("code %d, want 3\n%s%s", code, stdout, stderr)
		}
		for _, name := range []string{"secret", "closed"} {
			if !strings.Contains(stderr, filepath.Join(source, name)+": ") {
				t.Errorf("%s is not reported:\n%s", name, stderr)
			}
		}
		if !strings.Contains(stdout, "2 paths could not be backed up") || strings.Contains(stderr, "bus3: ") {
			t.Errorf("the summary is not as it should be:\n%s%s", stdout, stderr)
		}
		if s := r.scans(); len(s) != 1 || s[0].State != "partial" {
			t.Errorf("list: %+v", s)
		}
		r.bus3("restore", "open", r.path("restored"))
		if got, err := os.ReadFile(r.path("restored", "open", "inside")); err != nil || string(got) != "w" {
			t.Errorf("open/inside has %q, %v", got, err)
		}
	})
}

func TestAKilledBackupIsGoneOnWith(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		source := r.path("source")
		for i := range 20 {
			write(t, source, string(rune('a'+i))+"/noise", string(noise(uint64(i), 4<<20)))
		}
		cmd := r.command("backup", "--limit-upload", "20000", source)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		exited := make(chan struct{})
		go func() { _ = cmd.Wait(); close(exited) }()
		until(t, "a pack is stored", func() bool {
			select {
			case <-exited: // it was too fast to be killed: what follows holds none the less
				return true
			default:
				return len(r.stored("packs")) > 0
			}
		})
		_ = cmd.Process.Kill()
		<-exited
		r.sessionsEnd()
		if _, stderr, code := r.try("list"); code != 0 {
			t.Errorf("list after the kill: %d\n%s", code, stderr)
		}
		s := r.backup(source)
		r.bus3("restore", "all", r.path("restored"))
		same(t, "what was restored", source, r.path("restored"), restored())
		complete := 0
		for _, scan := range r.scans() {
			if scan.State == "complete" {
				complete++
			}
		}
		if all := r.scans("--all"); complete == 0 || all[len(all)-1].Number != s.Scan {
			t.Errorf("list: %+v", all)
		}
	})
}

// stored lists the files of the store below a prefix.
func (r *rig) stored(prefix string) []string {
	var files []string
	_ = filepath.WalkDir(filepath.Join(r.objects, prefix), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !strings.Contains(d.Name(), ".tmp") {
			files = append(files, path)
		}
		return nil // what vanishes while we look is not there
	})
	return files
}

func TestNothingReadableIsInTheStore(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		const content, name = "a sentence that nobody else may read, several times over; ", "a-telling-name"
		write(t, r.path(name+"-root"), name+"-file.txt", strings.Repeat(content, 1000), name+"-dir/x", content)
		r.backup("--host", name+"-host", "--tag", name+"-tag", r.path(name+"-root"))
		r.bus3("key", "add", "--recipient", "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p", "--label", name+"-label")
		objects := r.stored("")
		if len(objects) < 4 {
			t.Fatalf("the store has %q", objects)
		}
		for _, object := range objects {
			data, err := os.ReadFile(object)
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{content[:20], name} {
				if bytes.Contains(data, []byte(secret)) || strings.Contains(strings.TrimPrefix(object, r.objects), secret) {
					t.Errorf("%s tells %q", object, secret)
				}
			}
		}
	})
}

func TestAFlippedByteIsNamedAndNeverShown(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		source := r.path("source")
		for i := range 12 {
			write(t, source, "file-"+string(rune('a'+i)), string(noise(uint64(i), 300<<10)))
		}
		r.backup(source)
		packs := r.stored("packs")
		if len(packs) == 0 {
			t.Fatal("no pack is stored")
		}
		for _, pack := range packs {
			flip(t, pack)
		}
		stdout, stderr, code := r.try("restore", "--disk-cache", "0", "all", r.path("restored"))
		if code == 0 || !strings.Contains(stderr, "file-") {
			t.Errorf("restoring damaged data ended with code %d\n%s%s", code, stdout, stderr)
		}
		lost := 0
		for i := range 12 {
			name := "file-" + string(rune('a'+i))
			got, err := os.ReadFile(r.path("restored", name))
			switch {
			case err != nil:
				lost++
			case !bytes.Equal(got, noise(uint64(i), 300<<10)):
				t.Errorf("%s was restored with wrong bytes", name)
			}
		}
		if lost == 0 {
			t.Error("nothing was lost, though a byte of each pack was flipped")
		}
	})
}

// flip flips a bit in the middle of a file, which is in the data of a segment.
func flip(t *testing.T, name string) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	h, err := os.OpenFile(name, os.O_WRONLY, 0) // in place: attributes of the object stay
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Close() }()
	if _, err := h.Write(data); err != nil {
		t.Fatal(err)
	}
}

func TestTwoBackupsOfOneDirectoryAtOnceAreRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		source := r.path("source")
		for i := range 8 {
			write(t, source, string(rune('a'+i)), string(noise(uint64(i), 4<<20)))
		}
		slow := r.command("backup", "--limit-upload", "1", source) // would take hours
		if err := slow.Start(); err != nil {
			t.Fatal(err)
		}
		until(t, "the first backup has begun", func() bool { return len(r.scans("--all")) == 1 })
		r.fails(11, "another backup of this directory is running", "backup", source)
		if err := slow.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		_ = slow.Wait()
		if code := slow.ProcessState.ExitCode(); code != 130 {
			t.Errorf("the interrupted backup ended with code %d, want 130", code)
		}
		if s := r.backup(source); s.Scan != 1 {
			t.Errorf("the backup after it: %+v", s)
		}
		same(t, "the mount", source, filepath.Join(r.mount(), "latest"), tree.Ignore{})
	})
}
