package test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/bus3/bus3"

// mayImport is the import table: which packages of ours a package may import, test files aside. A name with /... stands
// for everything below it too. What is not listed may import nothing of ours.
func mayImport() map[string][]string {
	return map[string][]string{
		"catalog/postgres": {"catalog", "catalog/schema", "catalog/internal/..."},
		"catalog/sqlite":   {"catalog", "catalog/schema", "catalog/internal/..."},
		"catalog/journal":  {"catalog"},
		"catalog/schema":   {"catalog"},
		"catalog/internal": {"catalog", "catalog/failpoint", "catalog/schema", "catalog/internal/..."},

		"s3store":            {"catalog/failpoint"},
		"s3store/seal":       {"catalog"},
		"s3store/pack":       {"catalog", "s3store/seal"},
		"s3store/repository": {"catalog", "catalog/failpoint", "catalog/journal", "s3store", "s3store/seal", "s3store/pack"},

		"backup/source":  {"catalog"},
		"backup/cut":     {"catalog", "backup/source", "s3store/seal"},
		"backup":         {"catalog", "catalog/failpoint", "backup/source", "backup/cut", "s3store", "s3store/seal", "s3store/pack", "s3store/repository"},
		"backup/rebuild": {"backup/internal/...", "catalog", "catalog/journal", "s3store", "s3store/seal", "s3store/pack", "s3store/repository"},
		"backup/check":   {"backup/internal/...", "catalog", "catalog/journal", "s3store", "s3store/seal", "s3store/pack", "s3store/repository"},

		"cache":      {"catalog", "s3store/seal", "s3store/pack"},
		"fs":         {"catalog", "cache"},
		"fs/restore": {"catalog", "cache"},

		"cmd/internal/show": {"catalog"},
		"cmd/bus3":          {"..."},

		// Conformance suites and tools for tests: held to nothing but that the product does not import them.
		"catalog/catalogtest": {"..."},
		"s3store/storetest":   {"..."},
		"test":                {"..."},
	}
}

// onlyIn lists the modules that one place alone may import.
func onlyIn() map[string][]string {
	return map[string][]string{
		"github.com/hanwen/go-fuse":     {"fs"},
		"github.com/aws":                {"s3store"},
		"github.com/jackc/pgx":          {"catalog/postgres", "catalog/schema"},
		"github.com/pressly/goose":      {"catalog/postgres", "catalog/sqlite", "catalog/schema", "catalog/internal"},
		"zombiezen.com/go/sqlite":       {"catalog/sqlite"},
		"filippo.io/age":                {"s3store/repository", "cmd/internal/keys", "cmd/bus3"},
		"github.com/alecthomas/kong":    {"cmd/bus3"},
		"github.com/schollz":            {"cmd/internal/show"},
		"github.com/klauspost/compress": {"s3store/seal"},
	}
}

// listed is a package as `go list` tells of it.
type listed struct {
	ImportPath string
	Name       string
	Imports    []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Name,Imports", "./...")
	cmd.Dir = ".."
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, problems.String())
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 10 {
		t.Fatalf("go list found %d packages only", len(all))
	}
	return all
}

func TestPackagesImportOnlyWhatTheArchitectureAllows(t *testing.T) {
	table := mayImport()
	for _, p := range packages(t) {
		from := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		allowed := allowedFor(table, from)
		for _, imported := range p.Imports {
			if to, ours := strings.CutPrefix(imported, module+"/"); ours && !matchesAny(allowed, to) && !strings.HasPrefix(to, from+"/internal") {
				t.Errorf("%s imports %s; the table allows %q", from, to, allowed)
			}
		}
	}
}

func TestThirdPartyModulesStayInTheirPlaces(t *testing.T) {
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, module+"/")
		if isTesting(from) {
			continue
		}
		for _, imported := range p.Imports {
			for prefix, places := range onlyIn() {
				if (imported == prefix || strings.HasPrefix(imported, prefix+"/")) && !slices.ContainsFunc(places, func(place string) bool { return from == place || strings.HasPrefix(from, place+"/") }) {
					t.Errorf("%s imports %s, which belongs into %q", from, imported, places)
				}
			}
		}
	}
}

func TestTheProductDoesNotImportItsTests(t *testing.T) {
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, module+"/")
		for _, imported := range p.Imports {
			if to := strings.TrimPrefix(imported, module+"/"); !isTesting(from) && to != imported && isTesting(to) || imported == "testing" && !isTesting(from) {
				t.Errorf("%s imports %s", from, imported)
			}
		}
	}
}

func isTesting(pkg string) bool {
	return pkg == "test" || strings.HasPrefix(pkg, "test/") || pkg == "catalog/catalogtest" || pkg == "s3store/storetest"
}

// allowedFor is the line of the table for a package, or for the nearest one above it that the table allows to speak for
// all below: internal packages and those of tests.
func allowedFor(table map[string][]string, pkg string) []string {
	if line, ok := table[pkg]; ok {
		return line
	}
	for _, root := range []string{"test", "catalog/internal"} {
		if strings.HasPrefix(pkg, root+"/") {
			return table[root]
		}
	}
	return nil
}

func matchesAny(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		below, all := strings.CutSuffix(pattern, "...")
		return pkg == pattern || all && strings.HasPrefix(pkg, below)
	})
}
