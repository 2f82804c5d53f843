package test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/pack"
	"github.com/bus3/bus3/test/tree"
	"github.com/bus3/bus3/test/versity"
)

// killPoints are where backups are killed, in the order in which a run passes them.
func killPoints(c combination) []string {
	points := []string{
		"backup.locked",
		"backup.caught-up",
		"backup.begin.before-journal",
		"journal.sealed",
		"journal.stored",
		"backup.begin.after-journal",
		"backup.begin.before-apply",
		"begin.before-commit",
		"backup.begin.after-apply",
		"backup.begun",
		"backup.before-adopted",
		"backup.after-adopted",
		"backup.before-removed",
		"backup.before-moves",
		"backup.walked",
		"backup.after-moves",
		"backup.before-late",
		"backup.segment-sealed",
		"backup.segment-sealed:3",
		"backup.pack-full",
		"backup.before-pack",
		"backup.after-pack",
		"backup.after-pack:2",
		"backup.batch.packs-stored",
		"backup.batch.before-journal",
		"journal.sealed:3",
		"journal.stored:3",
		"backup.batch.after-journal",
		"backup.batch.before-apply",
		"apply.begun",
		"apply.table",
		"apply.table:4",
		"apply.inserted",
		"apply.closed",
		"apply.before-commit",
		"apply.before-commit:3",
		"backup.batch.after-apply",
		"backup.batch.done",
		"backup.before-end",
		"backup.end.packs-stored",
		"backup.end.before-journal",
		"backup.end.after-journal",
		"backup.end.before-apply",
		"backup.end.after-apply",
		"backup.end.done",
	}
	if c.s3 {
		return append(points, "s3.before-put", "s3.sending", "s3.after-put", "s3.before-new", "s3.after-new:2")
	}
	return append(points, "dir.before-fsync", "dir.before-rename", "dir.after-rename", "dir.before-link", "dir.after-link", "dir.after-link:2")
}

// scene is what every kill begins with: a complete backup, then one that was interrupted, and a tree that has changed since.
type scene struct {
	*rig
	c      combination
	source string
	key    string
	want   []tree.Entry // of the source
	before account      // of the catalog
	bucket string
	server *versity.Server // of the bucket
}

func TestNothingIsLostWhereverABackupIsKilled(t *testing.T) {
	t.Parallel()
	for _, c := range []combination{{false, false}, {true, true}} {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			s := newScene(t, c)
			points := killPoints(c)
			if all := slices.Compact(slices.Sorted(slices.Values(points))); len(all) < 25 || len(all) != len(points) {
				t.Fatalf("%d points, %d of them different", len(points), len(all))
			}
			for _, point := range points {
				t.Run(point, func(t *testing.T) {
					t.Parallel()
					s.copy(t).survives(s, point)
				})
			}
		})
	}
}

func newScene(t *testing.T, c combination) *scene {
	s3 := (*versity.Server)(nil)
	r := (*rig)(nil)
	if c.s3 {
		s3 = quickVersity(t)
		r = (&servers{stage.postgres(t), s3}).rig(t)
	} else {
		r = localRig(t)
	}
	s := &scene{rig: r, c: c, server: s3, source: r.path("source"), key: filepath.Join(r.home, ".config", "bus3", "key.txt"), bucket: filepath.Base(r.objects)}
	grow(t, s.source)
	s.at("").backup(s.source)
	rename(t, s.source, "d1", "moved")
	write(t, s.source, "large", string(noise(2, 1400<<10)))
	for i := range 60 {
		write(t, s.source, fmt.Sprintf("new/f%d", i), strings.Repeat(fmt.Sprint("new", i), 300))
	}
	s.dies("backup.after-pack:2", "backup", s.source)
	rename(t, s.source, "d3/e0", "d4/e0 from d3")
	rename(t, s.source, "d0", "d2/d0")
	if err := os.RemoveAll(filepath.Join(s.source, "d2", "e1")); err != nil {
		t.Fatal(err)
	}
	write(t, s.source, "large", string(noise(3, 1500<<10)), "large too", string(noise(4, 900<<10)))
	for i := range 90 {
		write(t, s.source, fmt.Sprintf("newer/f%d", i), strings.Repeat(fmt.Sprint("newer", i), 300))
	}
	s.want, s.before = record(t, s.source), r.catalog()
	return s
}

// grow makes a tree that fills several packs and batches if those are small.
func grow(t *testing.T, dir string) {
	t.Helper()
	for i := range 60 {
		write(t, dir, fmt.Sprintf("d%d/e%d/f%d", i%5, i%3, i), strings.Repeat(fmt.Sprint(i), 300))
	}
	write(t, dir, "large", string(noise(1, 1300<<10)))
}

func rename(t *testing.T, dir, from, to string) {
	t.Helper()
	if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
		t.Fatal(err)
	}
}

// copy is a rig with a store and a catalog of its own that are as the scene's are.
func (s *scene) copy(t *testing.T) *rig {
	t.Helper()
	r := quickRig(t)
	r.objects = r.path("store")
	r.store = "file://" + r.objects
	if s.c.s3 {
		bucket := s.server.Bucket(t)
		copyBucket(t, s.server, s.objects, s.bucket, bucket)
		r.store, r.objects = s.server.URL(bucket), filepath.Join(s.server.Data(), bucket)
		r.env = append(r.env, s.server.Admin.Env()...)
	} else if err := os.CopyFS(r.objects, os.DirFS(s.objects)); err != nil {
		t.Fatal(err)
	}
	db := "sqlite://" + r.path("catalog.db")
	if s.c.postgres {
		db = copyDatabase(t, s.setting("BUS3_CATALOG"))
	} else {
		sh(t, "sqlite3", s.path("catalog.db"), ".backup "+r.path("catalog.db"))
	}
	r.env = append(r.env, "BUS3_STORE="+r.store, "BUS3_CATALOG="+db, "BUS3_KEY_FILE="+s.key)
	return r
}

// setting is a variable of the rig's environment.
func (r *rig) setting(name string) (value string) {
	for _, pair := range r.env {
		if v, ok := strings.CutPrefix(pair, name+"="); ok {
			value = v
		}
	}
	return value
}

func copyBucket(t *testing.T, server *versity.Server, objects, from, to string) {
	t.Helper()
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String(server.Endpoint()), Region: versity.Region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(server.Admin.AccessKey, server.Admin.SecretKey, ""),
	})
	for key := range stored(t, objects) {
		_, err := client.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: &to, Key: &key, CopySource: aws.String(from + "/" + key)})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// copyDatabase makes a database that has what another one has. Nobody may be connected to that.
func copyDatabase(t *testing.T, from string) string {
	t.Helper()
	u, err := url.Parse(from)
	if err != nil {
		t.Fatal(err)
	}
	name := "bus3_copy_" + rand.Text()
	admin := *u
	admin.Path = "/postgres"
	command := func(sql string) {
		t.Helper()
		ctx := context.Background() // that of a test has ended when it cleans up
		conn, err := pgx.Connect(ctx, admin.String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(ctx) }()
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	t.Cleanup(func() { command("DROP DATABASE IF EXISTS " + pgx.Identifier{name}.Sanitize() + " WITH (FORCE)") })
	command("CREATE DATABASE " + pgx.Identifier{name}.Sanitize() + " TEMPLATE " + pgx.Identifier{strings.TrimPrefix(u.Path, "/")}.Sanitize())
	copied := *u
	copied.Path = "/" + name
	return copied.String()
}

// stored is all objects of a store by their keys, as digests. For S3, dir is that of the bucket.
func stored(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	store, err := s3store.Open(t.Context(), (&url.URL{Scheme: "file", Path: dir}).String(), s3store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][32]byte{}
	err = store.List(t.Context(), "", "", func(o s3store.Object) error {
		body, err := store.Get(t.Context(), o.Key, 1<<30)
		all[o.Key] = sha256.Sum256(body)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// survives kills a backup at a point and holds what is left to what must be.
func (r *rig) survives(s *scene, point string) {
	t := r.t
	t.Helper()
	r.dies(point, "backup", s.source)
	left := stored(t, r.objects)
	store, found := r.open(s.key), r.catalog()
	whole := store.rebuilt(t)
	found.keeps(t, "after the kill", s.before)
	if n := r.checks(whole, left); n == 0 && strings.HasPrefix(point, "backup.after-pack") {
		t.Error("a pack was stored that nobody knows of, and it is not garbage")
	}

	done := r.at("").backup(s.source)
	now := r.catalog()
	agree(t, "a rebuild", now, store.rebuilt(t))
	now.keeps(t, "after the next backup", found)
	now.keeps(t, "after the next backup", whole)
	objects := stored(t, r.objects)
	for key, sum := range left {
		if objects[key] != sum {
			t.Errorf("%s was removed or replaced", key)
		}
	}
	newest := now.Scans[len(now.Scans)-1]
	if newest.Number != done.Scan || newest.State != catalog.Complete || len(now.Scans) != int(done.Scan)+1 {
		t.Errorf("the newest of %d scans, after a backup with number %d, is %+v", len(now.Scans), done.Scan, newest)
	}
	r.checks(now, objects)
	r.bus3("restore", "all", r.path("restored"))
	if lines := tree.Diff(s.want, record(t, r.path("restored")), restored()); len(lines) > 0 {
		t.Errorf("what was restored differs from the source:\n%s", strings.Join(lines[:min(len(lines), 30)], "\n"))
	}
}

// keeps demands that a catalog still tells all that it had told before, but for until when entries last and how
// interrupted scans went on.
func (a account) keeps(t *testing.T, when string, before account) {
	t.Helper()
	for i, scan := range before.Scans {
		if i >= len(a.Scans) || a.Scans[i].Number != scan.Number || a.Scans[i].Source != scan.Source || a.Scans[i].Parts < scan.Parts {
			t.Errorf("%s, scan %d is not what it was: %+v", when, scan.Number, a.Scans)
			return
		}
		if scan.State.Finished() && !slices.Equal(before.Trees[scan.Number], a.Trees[scan.Number]) {
			t.Errorf("%s, the tree of scan %d is another one", when, scan.Number)
		}
	}
	for _, line := range before.Packs {
		if _, found := slices.BinarySearch(a.Packs, line); !found {
			t.Errorf("%s, the catalog does not know: %s", when, line)
		}
	}
}

// checks demands that `bus3 check` finds no fault, and names what is garbage and nothing else: packs that neither the
// catalog nor the journal tell of. It returns how many there are.
func (r *rig) checks(a account, objects map[string][32]byte) (garbage int) {
	r.t.Helper()
	known := strings.Join(a.Packs, "\n")
	out := r.bus3("check", "--read-data")
	for key := range objects {
		id, ok := pack.ParseKey(key)
		if !ok {
			continue
		}
		needed := strings.Contains(known, "Key:"+id.String())
		if !needed {
			garbage++
		}
		if named := strings.Contains(out, key); named == needed {
			r.t.Errorf("%s is needed: %v, and check says:\n%s", key, needed, out)
		}
	}
	return garbage
}

// TestARebuildGoesOnWhereverItIsKilled kills rebuilds in the middle of transactions and between them.
func TestARebuildGoesOnWhereverItIsKilled(t *testing.T) {
	t.Parallel()
	for _, c := range []combination{{false, false}, {true, true}} {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			s := newScene(t, c)
			s.at("").backup(s.source)
			want := s.catalog()
			for _, point := range []string{"begin.before-commit", "begin.before-commit:3", "apply.begun", "apply.table:7", "apply.closed:2", "apply.before-commit:3"} {
				db := "sqlite://" + filepath.Join(inMemory(t), "new.db")
				if c.postgres {
					db = stage.postgres(t).Database(t)
				}
				r := s.with("BUS3_CATALOG=" + db)
				r.dies(point, "rebuild")
				r.bus3("rebuild")
				agree(t, "a rebuild that was killed at "+point+" and run again", want, r.catalog())
				if next := r.at("").backup(s.source); next.New+next.Changed+next.Removed != 0 {
					t.Errorf("a backup after it: %+v", next)
				}
				want = r.catalog()
			}
		})
	}
}
