package test
import ("strings";"context";"path/filepath";"os";"fmt"
"github.com/bus3/bus3/backup/check"
"github.com/bus3/bus3/catalog/sqlite"
"github.com/bus3/bus3/catalog/postgres")
func (r *rig) tmpCheck() string {
	key := r.setting("BUS3_KEY_FILE")
	if key=="" { key=filepath.Join(r.home, ".config", "bus3", "key.txt") }
	o := r.open(key)
	var cat check.Catalog
	raw := r.setting("BUS3_CATALOG")
	if p, ok := strings.CutPrefix(raw, "sqlite://"); ok { c, err := sqlite.Open(context.Background(), p, sqlite.Options{}); if err!=nil {r.t.Fatal(err)}; defer c.Close(); cat=c } else {
	c, err := postgres.Open(context.Background(), raw, postgres.Options{}); if err!=nil {r.t.Fatal(err)}; defer c.Close(); cat=c }
	out := ""
	rep, err := check.Run(context.Background(), cat, o.store, o.repo, check.Options{ReadData: true, Found: func(f check.Finding){ out += fmt.Sprintln(f.Severity, f.Key, f.Message) }})
	if err!=nil || rep.Faults>0 { r.t.Errorf("check: %v %+v\n%s", err, rep, out) }
	_ = os.Args
	return out
}
