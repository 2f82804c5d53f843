//go:build !failpoints

package failpoint

// Enabled tells whether the program was built with fail points.
const Enabled = false

// Hit does nothing.
func Hit(string) {}

// Small is false.
func Small() bool { return false }
