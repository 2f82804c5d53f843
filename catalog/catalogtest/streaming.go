package catalogtest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/bus3/bus3/catalog"
	"golang.org/x/sync/errgroup"
)

// largeDirectory is how many entries the largest directory of the suite has: several times what is kept in memory at once.
const largeDirectory = 6000

// fillDirectory applies a root with that many files, in several parts.
func fillDirectory(s *Scanner, n int) catalog.Entry {
	root := s.Root()
	for i := range n {
		s.Open(catalog.Entry{Dir: root.Ino, Name: fmt.Sprintf("%07d", i)})
	}
	s.Apply()
	return root
}

func testLargeDirectory(t *testing.T, e Engine) {
	ctx := context.Background()
	cat := e.New(t)(t, false)
	s := Begin(t, cat, "host", "/")
	root := fillDirectory(s, largeDirectory)
	for name, get := range map[string]func(func(*catalog.Entry) error) error{
		"List":    func(fn func(*catalog.Entry) error) error { return cat.List(ctx, 0, root.Ino, fn) },
		"Current": func(fn func(*catalog.Entry) error) error { return cat.Current(ctx, []catalog.ID{root.Ino}, fn) },
	} {
		next := 0
		must(t, get(func(e *catalog.Entry) error {
			if want := fmt.Sprintf("%07d", next); e.Name != want {
				return fmt.Errorf("%s: entry %d is %q", name, next, e.Name)
			}
			next++
			return nil
		}))
		if next != largeDirectory {
			t.Errorf("%s: %d entries", name, next)
		}
	}
}

// More callbacks than there are connections, each in the middle of a long result, ask for more.
func testNestedQueries(t *testing.T, e Engine) {
	cat := e.New(t)(t, false)
	s := Begin(t, cat, "host", "/")
	root := fillDirectory(s, largeDirectory)
	const at = largeDirectory / 2
	const callers = 10
	inside, ctx := errgroup.WithContext(context.Background())
	arrived := make(chan struct{}, callers)
	proceed := make(chan struct{})
	for range callers {
		inside.Go(func() error {
			n := 0
			return cat.List(ctx, 0, root.Ino, func(e *catalog.Entry) error {
				if n++; n != at {
					return nil
				}
				arrived <- struct{}{}
				select {
				case <-proceed: // all of them are in their callbacks
				case <-ctx.Done():
					return ctx.Err()
				}
				if _, err := cat.Entry(ctx, e.ID); err != nil {
					return err
				}
				return cat.List(ctx, 0, root.Ino, func(*catalog.Entry) error { return nil })
			})
		})
	}
	for range callers {
		select {
		case <-arrived:
		case <-ctx.Done():
		}
	}
	close(proceed)
	must(t, inside.Wait())
}

func testCallbackError(t *testing.T, e Engine) {
	ctx := context.Background()
	cat := e.New(t)(t, false)
	s := Begin(t, cat, "host", "/")
	root := fillDirectory(s, largeDirectory)
	stop := errors.New("enough")
	for _, after := range []int{0, 1, largeDirectory / 2} {
		for range 6 { // more often than there are connections
			n := 0
			err := cat.List(ctx, 0, root.Ino, func(*catalog.Entry) error {
				if n++; n > after {
					return stop
				}
				return nil
			})
			wantErr(t, stop, err)
			if n != after+1 {
				t.Fatalf("%d callbacks, %d expected", n, after+1)
			}
		}
	}
	if n := len(Names(t, cat, 0, root.Ino)); n != largeDirectory {
		t.Fatalf("%d names", n)
	}
}

func testCancelled(t *testing.T, e Engine) {
	cat := e.New(t)(t, false)
	s := Begin(t, cat, "host", "/")
	root := fillDirectory(s, largeDirectory)
	for range 6 {
		ctx, cancel := context.WithCancel(context.Background())
		err := cat.List(ctx, 0, root.Ino, func(*catalog.Entry) error {
			cancel()
			return ctx.Err()
		})
		wantErr(t, context.Canceled, err)
		wantErr(t, context.Canceled, second(cat.Entry(ctx, root.ID)))
		s.Open(catalog.Entry{Dir: root.Ino, Name: "never"})
		b := s.Take()
		s.part--
		if err := cat.Apply(ctx, b); err == nil {
			t.Fatal("it was applied")
		}
	}
	s.Finish()
	if n := len(Names(t, cat, 0, root.Ino)); n != largeDirectory {
		t.Fatalf("%d names", n)
	}
}

// A reader in the middle of a long listing sees what was there when it began, and a writer does not wait for it.
func testReadsDuringWrites(t *testing.T, e Engine) {
	ctx := context.Background()
	open := e.New(t)
	cat, other := open(t, false), open(t, false)
	s := Begin(t, cat, "host", "/")
	root := fillDirectory(s, largeDirectory)
	n := 0
	must(t, cat.List(ctx, 0, root.Ino, func(*catalog.Entry) error {
		if n++; n%(largeDirectory/4) == 0 {
			s.Open(catalog.Entry{Dir: root.Ino, Name: fmt.Sprint("new ", n)})
			s.Apply()
			_, err := other.Lookup(ctx, 0, root.Ino, fmt.Sprint("new ", n))
			return err
		}
		return nil
	}))
	if n != largeDirectory {
		t.Fatalf("%d names", n)
	}
	if n := len(Names(t, cat, 0, root.Ino)); n != largeDirectory+4 {
		t.Fatalf("%d names afterwards", n)
	}
}
