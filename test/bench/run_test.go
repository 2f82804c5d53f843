package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheFrontCountsByVerb(t *testing.T) {
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "host "+r.Host)
	}))
	defer behind.Close()
	f, err := newFront(behind.URL)
	if err != nil {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(f.endpoint, "http://")
	for _, c := range []struct{ method, path, body string }{
		{"PUT", "/bucket/a/key", "12345"},
		{"GET", "/bucket/a/key", ""},
		{"GET", "/bucket/other", ""},
		{"GET", "/bucket?list-type=2", ""},
		{"GET", "/bucket/?location", ""},
		{"HEAD", "/bucket/a/key", ""},
		{"PUT", "/bucket", ""},
	} {
		request, err := http.NewRequestWithContext(t.Context(), c.method, f.endpoint+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(response.Body)
		if err != nil || c.method != "HEAD" && string(answer) != "host "+host {
			t.Errorf("%s %s: the server was asked as %q, %v; the client asked %q", c.method, c.path, answer, err, host)
		}
		_ = response.Body.Close()
	}
	got := [...]int64{f.puts.Load(), f.putBytes.Load(), f.gets.Load(), f.gotBytes.Load(), f.others.Load(), f.total()}
	if diff := cmp.Diff([...]int64{1, 5, 2, 2 * int64(len("host "+host)), 4, 7}, got); diff != "" {
		t.Error(diff)
	}
	f.reset()
	if f.total() != 0 || f.gotBytes.Load() != 0 {
		t.Error("reset does not begin anew")
	}
	if err := f.close(); err != nil {
		t.Error(err)
	}
}

func TestCorporaAreTheSameEachTime(t *testing.T) {
	var trees [2]map[string]string
	for i := range trees {
		b := &bench{set: &settings{Files: 103, Big: 1, BigMiB: 1}, stage: stage{dir: t.TempDir()}}
		trees[i] = map[string]string{}
		for name, want := range map[string]tally{"small50k": {103, 103 * 4096}, "big": {1, 1 << 20}} {
			c, err := b.makeCorpus(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			if c.size != want {
				t.Errorf("%s has %+v, want %+v", name, c.size, want)
			}
			files, err := filepath.Glob(filepath.Join(c.dir, "*"))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				if content, err := os.ReadFile(file); err == nil {
					trees[i][filepath.Base(file)] = string(content)
				}
			}
		}
		sample := filepath.Join(b.dir, "corpus", "small50k", "d00049", "f00002")
		content, err := os.ReadFile(sample)
		if err != nil {
			t.Fatal(err)
		}
		trees[i]["sample"] = string(content)
	}
	if diff := cmp.Diff(trees[0], trees[1]); diff != "" || len(trees[0]) != 2 {
		t.Errorf("%d files: %s", len(trees[0]), diff)
	}
}

func TestWhatAProcessNeededIsTold(t *testing.T) {
	s, err := sh(`printf '%s' "$1"; head -c 20000000 /dev/zero | sha256sum >/dev/null`, "told").run(t.Context())
	if err != nil || string(s.stdout) != "told" || s.seconds <= 0 || s.cpu <= 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := sh(`echo a reason >&2; exit 3`).run(t.Context()); err == nil || !strings.Contains(err.Error(), "a reason") {
		t.Errorf("a command that failed: %v", err)
	}
	if peakMiB(os.Getpid()) <= 0 {
		t.Error("a process that runs has no peak memory")
	}
}
