package catalogtest

import (
	"testing"
)

// Open opens the database anew: another handle, as another process would have it. It is closed when the test ends.
type Open func(t testing.TB, readOnly bool) Catalog

// Engine is an engine under test.
type Engine struct {
	// New makes a database without a catalog and returns how to open it.
	New func(t testing.TB) Open
}

// Run runs the suite.
func Run(t *testing.T, e Engine) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Engine)
	}{
		{"an empty catalog knows nothing", testEmpty},
		{"it belongs to one repository", testBelonging},
		{"every field comes back", testFields},
		{"scans come back", testScans},
		{"names are bytes", testNames},
		{"hard links share an identity", testHardLinks},
		{"history is an interval", testHistory},
		{"a moved directory takes two rows", testMove},
		{"what was never in a scan goes", testNeverInAScan},
		{"any history lists as it was", testAnyHistory},
		{"a part is applied once", testIdempotent},
		{"a part is applied as a whole or not at all", testAllOrNothing},
		{"parts that are ahead wait", testBehind},
		{"what a later scan did not see is refused", testSuperseded},
		{"batches that cannot be so are refused", testInvalid},
		{"a refused batch leaves nothing", testAtomic},
		{"two apply the same part at once", testSamePartAtOnce},
		{"sources do not disturb each other", testSourcesAtOnce},
		{"one source has one first scan", testSameBeginAtOnce},
		{"one writer for each source", testLock},
		{"what is applied is seen by others", testOtherHandles},
		{"chunks are known by their hash", testKnown},
		{"places", testPlaces},
		{"pieces of a content", testPieces},
		{"values", testValues},
		{"moved files are found by inode", testByInode},
		{"current directories keep their order", testCurrentOrder},
		{"callbacks may query", testNestedQueries},
		{"a callback's error ends the query", testCallbackError},
		{"a cancelled query ends", testCancelled},
		{"a large directory", testLargeDirectory},
		{"reads do not wait for a writer", testReadsDuringWrites},
		{"read only", testReadOnly},
		{"packs are verified longest ago first", testVerified},
		{"users of chunks", testUsers},
		{"dangling references", testDangling},
		{"lost closings are mended", testMend},
		{"a filled catalog settles", testSettle},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, e) })
	}
}
