package repository

import (
	"fmt"
	"strings"
	"testing"

	"filippo.io/age"
)

// A key that was wrapped for a known recipient by somebody who has another master key opens another repository, with
// another ID, whatever ID he would like it to have.
func TestForeignMasterKeyCannotTakeTheIDOfARepository(t *testing.T) {
	s := newStore(t)
	u, w := identity(t, "")
	mine := initialised(t, s, w)
	theirs := initialised(t, newStore(t), w)
	object, err := theirs.Store().Get(t.Context(), w.key, maxKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), w.key, object); err != nil {
		t.Fatal(err)
	}
	r, err := Open(t.Context(), s, u)
	if err != nil || r.ID() == mine.ID() {
		t.Errorf("%v", err)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	s := newStore(t)
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	us, err := UnlockFile([]byte(id.String()), nil)
	if err != nil {
		t.Fatal(err)
	}
	p, wp := passphrase(t, "p", "hunter2")
	r := initialised(t, s, wp)
	sheet, err := r.Export(t.Context(), "sheet")
	if err != nil {
		t.Fatal(err)
	}
	_, badFile := UnlockFile([]byte(id.String()+"x"), nil)
	_, wrong := Open(t.Context(), s, us...)
	var out strings.Builder
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		for _, v := range []any{us, us[0], p, *sheet, sheet, badFile, wrong, []any{&us[0]}, r, r.Keys(), wp} {
			fmt.Fprintf(&out, format+"\n", v)
		}
	}
	fmt.Fprintf(&out, "%v %+v %#v", struct{ R *Repository }{r}, struct{ W Wrap }{wp}, struct{ U Unlock }{p})
	master := r.secret.master
	for _, secret := range []string{
		fmt.Sprint(master[3:9]), fmt.Sprintf("%x", master[3:9]), fmt.Sprintf("%q", master[3:9]), fmt.Sprint([]byte("hunter2")),
		sheet.Identity, "hunter2", strings.ToLower(id.String()[20:40]), id.String()[20:40], fmt.Sprintf("%x", "hunter2"),
	} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q in %s", secret, out.String())
		}
	}
}
