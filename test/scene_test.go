package test

import (
	"crypto/sha256"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/test/tree"
	"github.com/bus3/bus3/test/versity"
)

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
		db = stage.postgres(t).Copy(t, s.setting("BUS3_CATALOG"))
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
