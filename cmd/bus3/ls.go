package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/cmd/internal/show"
)

type lsCmd struct {
	Scan      scanNumber `arg:"" name:"N" help:"Number of the backup, or \"latest\"."`
	Path      string     `arg:"" optional:"" help:"A path, absolute as it was or relative to the root of the backup; else that root."`
	Recursive bool       `short:"R" help:"Also what is in directories below."`
}

// Run prints entries the way of `ls -l`, or as JSON, one line each.
func (c *lsCmd) Run(ctx context.Context, a *app) error {
	r, err := a.openReader(ctx)
	if err != nil {
		return err
	}
	defer r.close()
	scan, err := c.Scan.find(ctx, r.cat)
	if err != nil {
		return err
	}
	rel, err := within(&scan, c.Path)
	if err != nil {
		return err
	}
	e, err := lookup(ctx, r.cat, &scan, rel)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(a.out)
	l := &lister{cat: r.cat, scan: scan.Number, owners: map[catalog.ID]owner{}, out: out, json: a.JSON, recursive: c.Recursive}
	if e.Kind != catalog.Directory {
		err = l.print(ctx, []catalog.Entry{e}, path.Dir("/" + rel)[1:])
	} else {
		err = l.directory(ctx, e.Ino, rel)
	}
	if err := errors.Join(err, out.Flush()); err != nil {
		return fmt.Errorf("list %s in backup %d: %w", show.Name("/"+rel), scan.Number, err)
	}
	return nil
}

// tree is what walking through a scan takes.
type tree interface {
	Root(ctx context.Context, scan int64) (catalog.Entry, error)
	Lookup(ctx context.Context, scan int64, dir catalog.ID, name string) (catalog.Entry, error)
	List(ctx context.Context, scan int64, dir catalog.ID, fn func(*catalog.Entry) error) error
	Values(ctx context.Context, ids []catalog.ID, fn func(*catalog.Value) error) error
}

// lookup finds the entry at a path that within made.
func lookup(ctx context.Context, cat tree, scan *catalog.Scan, rel string) (catalog.Entry, error) {
	e, err := cat.Root(ctx, scan.Number)
	if err != nil || rel == "" {
		return e, err
	}
	for name := range strings.SplitSeq(rel, "/") {
		e, err = cat.Lookup(ctx, scan.Number, e.Ino, name)
		if errors.Is(err, catalog.ErrNotFound) {
			return e, fmt.Errorf("%s is not in backup %d; `bus3 ls %d` shows what is", show.Name(rel), scan.Number, scan.Number)
		}
		if err != nil {
			return e, fmt.Errorf("look up %s in backup %d: %w", show.Name(rel), scan.Number, err)
		}
	}
	return e, nil
}

// owner is the names of a user and a group, as they were.
type owner struct{ user, group string }

// lister prints directories.
type lister struct {
	cat       tree
	scan      int64
	owners    map[catalog.ID]owner // few distinct ones exist
	out       *bufio.Writer
	json      bool
	recursive bool
}

// directory prints what is in dir, whose path is rel.
func (l *lister) directory(ctx context.Context, dir catalog.ID, rel string) error {
	var entries []catalog.Entry
	err := l.cat.List(ctx, l.scan, dir, func(e *catalog.Entry) error {
		entries = append(entries, *e)
		return nil
	})
	if err != nil {
		return err
	}
	if l.recursive && !l.json {
		_, _ = fmt.Fprintf(l.out, "%s:\n", show.Name("/"+rel)) // bufio keeps the error for Flush
	}
	if err := l.print(ctx, entries, rel); err != nil || !l.recursive {
		return err
	}
	for i := range entries {
		if e := &entries[i]; e.Kind == catalog.Directory {
			if !l.json {
				_ = l.out.WriteByte('\n')
			}
			if err := l.directory(ctx, e.Ino, strings.TrimPrefix(rel+"/"+e.Name, "/")); err != nil {
				return err
			}
		}
	}
	return nil
}

// print prints entries of the directory at rel.
func (l *lister) print(ctx context.Context, entries []catalog.Entry, rel string) error {
	if err := l.load(ctx, entries); err != nil {
		return err
	}
	if l.json {
		return l.printJSON(entries, rel)
	}
	rows := make([][]string, 0, len(entries))
	for i := range entries {
		e := &entries[i]
		o := l.owner(e)
		name := show.Name(e.Name)
		if e.IsRoot() {
			name = "."
		}
		if e.Kind == catalog.Symlink {
			name += " -> " + show.Name(e.Target)
		}
		rows = append(rows, []string{
			show.Mode(e.Kind, e.Mode) + marks(e), fmt.Sprint(e.Nlink), show.Name(o.user), show.Name(o.group), sizeOrDevice(e), show.Time(e.Mtime), name + flags(e),
		})
	}
	return show.Table(l.out, rows, 1, 4)
}

// load fetches the owners' names that are not known yet.
func (l *lister) load(ctx context.Context, entries []catalog.Entry) error {
	var want []catalog.ID
	for i := range entries {
		id := entries[i].Owner
		if _, known := l.owners[id]; id != 0 && !known {
			l.owners[id] = owner{}
			want = append(want, id)
		}
	}
	if len(want) == 0 {
		return nil
	}
	return l.cat.Values(ctx, want, func(v *catalog.Value) error {
		user, group, err := catalog.DecodeOwner(v.Bytes)
		l.owners[v.ID] = owner{strings.Clone(user), strings.Clone(group)}
		return err
	})
}

// owner is the names of e's owner, or the numbers where there were no names.
func (l *lister) owner(e *catalog.Entry) owner {
	o := l.owners[e.Owner]
	if o.user == "" {
		o.user = fmt.Sprint(e.UID)
	}
	if o.group == "" {
		o.group = fmt.Sprint(e.GID)
	}
	return o
}

// marks is a + behind the mode for what has extended attributes or ACLs.
func marks(e *catalog.Entry) string {
	if e.Xattrs != 0 {
		return "+"
	}
	return ""
}

// flags tells what must be known of an entry whose data are not what they should be.
func flags(e *catalog.Entry) string {
	var out string
	if e.Flags&catalog.Inconsistent != 0 {
		out += " (changed while it was read)"
	}
	if e.Flags&catalog.Unreadable != 0 {
		out += " (could not be read)"
	}
	if e.Flags&catalog.Lost != 0 {
		out += " (lost)"
	}
	return out
}

func sizeOrDevice(e *catalog.Entry) string {
	if e.Kind == catalog.CharDevice || e.Kind == catalog.BlockDevice {
		return fmt.Sprintf("%d, %d", major(e.Rdev), minor(e.Rdev))
	}
	return fmt.Sprint(e.Size)
}

// entryJSON is how --json shows an entry, as restic shows a node.
type entryJSON struct {
	Name    string    `json:"name"`
	Path    string    `json:"path"`
	PathRaw []byte    `json:"path_bytes,omitempty"` // base64; only where path is not UTF-8
	Type    string    `json:"type"`
	Mode    string    `json:"permissions"`
	UID     uint32    `json:"uid"`
	GID     uint32    `json:"gid"`
	User    string    `json:"user,omitempty"`
	Group   string    `json:"group,omitempty"`
	Size    int64     `json:"size"`
	Mtime   time.Time `json:"mtime"`
	Links   uint32    `json:"links"`
	Inode   int64     `json:"inode"`
	Target  string    `json:"target,omitempty"`
	Note    string    `json:"note,omitempty"`
}

func (l *lister) printJSON(entries []catalog.Entry, rel string) error {
	enc := json.NewEncoder(l.out)
	for i := range entries {
		e := &entries[i]
		o, full := l.owners[e.Owner], strings.TrimSuffix("/"+strings.TrimPrefix(rel+"/"+e.Name, "/"), "/")
		err := enc.Encode(entryJSON{
			Name: e.Name, Path: full, PathRaw: raw(full), Type: e.Kind.String(), Mode: show.Mode(e.Kind, e.Mode), UID: e.UID, GID: e.GID, User: o.user, Group: o.group,
			Size: e.Size, Mtime: time.Unix(0, e.Mtime).UTC(), Links: e.Nlink, Inode: int64(e.Ino), Target: e.Target, Note: strings.Trim(flags(e), " ()"),
		})
		if err != nil {
			return err
		}
	}
	return nil
}
