package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/bus3/bus3/cmd/internal/qr"
	"github.com/bus3/bus3/s3store/repository"
)

type keyExportCmd struct {
	Label string `default:"recovery sheet" help:"What the new key is called in the list."`
	PNG   string `name:"png" placeholder:"FILE" help:"Write the QR code of the key there, as PNG."`
	SVG   string `name:"svg" placeholder:"FILE" help:"Write the QR code of the key there, as SVG."`
}

// Run makes a new key and prints all that a bare machine needs. The sheet is a secret.
func (c *keyExportCmd) Run(ctx context.Context, a *app) error {
	s, err := a.openRepository(ctx, nil)
	if err != nil {
		return err
	}
	for _, name := range []string{c.PNG, c.SVG} { // before a key is made that nobody would see
		if err := mayCreate(name); err != nil {
			return err
		}
	}
	sheet, err := s.repo.Export(ctx, c.Label)
	if err != nil {
		return err
	}
	code, err := qr.New(sheet.Identity)
	if err != nil {
		return fmt.Errorf("draw the QR code: %w", err)
	}
	if err := c.files(code); err != nil {
		return err
	}
	if a.JSON {
		return sheetJSON(a, sheet)
	}
	return a.buffered(func(w io.Writer) {
		writeSheet(w, sheet)
		if onTerminal(a.out) {
			_, _ = io.WriteString(w, "\n"+code.Terminal())
		}
	})
}

func mayCreate(name string) error {
	if name == "" {
		return nil
	}
	if _, err := os.Lstat(name); err == nil {
		return fmt.Errorf("write the QR code: %s is there already; name a file that is not", name)
	}
	return nil
}

// files writes the QR code to the files that were named, for the user's eyes only.
func (c *keyExportCmd) files(code *qr.Code) error {
	if c.PNG != "" {
		const pixelsPerModule = 8
		data, err := code.PNG(pixelsPerModule)
		if err == nil {
			err = writeSecret(c.PNG, data)
		}
		if err != nil {
			return fmt.Errorf("write the QR code: %w", err)
		}
	}
	if c.SVG != "" {
		if err := writeSecret(c.SVG, code.SVG()); err != nil {
			return fmt.Errorf("write the QR code: %w", err)
		}
	}
	return nil
}

func writeSecret(name string, data []byte) error {
	h, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = h.Write(data)
	return errors.Join(err, h.Close())
}

func onTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// writeSheet prints the recovery sheet.
func writeSheet(w io.Writer, s *repository.Sheet) {
	_, _ = fmt.Fprintf(w, `bus3 recovery sheet
===================
Whoever has this sheet and can read the store can read all backups. Keep it where your other valuables are.

Store       %s
Repository  %s
Key         %s
Made        %s, as key %q

To restore on a machine that has nothing but bus3 and access to the store:

  (umask 077; cat > bus3.key)      type the key, Enter, Ctrl-D
  bus3 --store %s --key-file bus3.key list
  bus3 --store %[6]s --key-file bus3.key restore all DIRECTORY

The key is in the QR code, if there is one here.
`, s.Store, s.Repository, s.Identity, s.Created.Format("2006-01-02 15:04:05 MST"), s.Label, quoted(s.Store))
}

func sheetJSON(a *app, s *repository.Sheet) error {
	b, err := json.Marshal(map[string]string{
		"store": s.Store, "repository": s.Repository.String(), "key": s.Identity, "recipient": s.Recipient, "label": s.Label,
		"created": s.Created.UTC().Format("2006-01-02T15:04:05Z"),
	})
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	_, err = a.out.Write(append(b, '\n'))
	return err
}
