package main

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/bus3/bus3/catalog"
)

// place is where the repository is, as far as it can be known before it is open.
type place struct {
	store        string // URL
	storeNamed   bool   // by the user; else it is the embedded default
	catalog      string // URL; "" if none was named
	defaultKey   string // key file of the embedded default
	embeddedPath string // catalog of the embedded default
	perStore     string // directory of the catalogs of named stores that were named without a catalog
	replicas     string // directory of the replicas for readers
	cache        string // directory of the disk cache
}

// place resolves what was said: the command line, the environment (both in globals), the file, the defaults.
func (a *app) place() place {
	p := place{
		store:        first(a.Store, a.file.Store),
		catalog:      first(a.Catalog, a.file.Catalog),
		defaultKey:   filepath.Join(a.dirs.Config, "key.txt"),
		embeddedPath: filepath.Join(a.dirs.Data, "catalog.db"),
		perStore:     filepath.Join(a.dirs.Data, "catalogs"),
	}
	cache := first(a.CacheDir, a.file.CacheDir, a.dirs.Cache)
	p.replicas, p.cache = filepath.Join(cache, "replicas"), filepath.Join(cache, "blocks")
	p.storeNamed = p.store != ""
	if !p.storeNamed {
		p.store = (&url.URL{Scheme: "file", Path: filepath.Join(a.dirs.Data, "store")}).String()
	}
	return p
}

// localCatalog is the catalog of a writer that named none.
func (p *place) localCatalog(id catalog.RepositoryID) string {
	if !p.storeNamed {
		return p.embeddedPath
	}
	return filepath.Join(p.perStore, id.String()+".db")
}

// flags are the flags that name the place again, for commands in messages. Passwords are left out.
func (p *place) flags() string {
	var out string
	if p.storeNamed {
		out += " --store " + quoted(p.store)
	}
	if p.catalog != "" {
		out += " --catalog " + quoted(p.catalog)
	}
	return out
}

// quoted is a URL fit for a shell, without its password.
func quoted(raw string) string {
	raw = redacted(raw)
	if strings.ContainsAny(raw, "?&;$ *'\"\\()") {
		return "'" + strings.ReplaceAll(raw, "'", `'\''`) + "'"
	}
	return raw
}

// redacted is a URL without its password.
func redacted(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "the URL (which cannot be read)"
	}
	return u.Redacted()
}

// sqlitePath is the file that a sqlite URL names.
func sqlitePath(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "sqlite" || u.Host != "" || !filepath.IsAbs(u.Path) || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("open the catalog %s: a SQLite catalog is sqlite:///path/to/file.db", redacted(raw))
	}
	return filepath.Clean(u.Path), nil
}

// first is the first of the strings that is not empty.
func first(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}
