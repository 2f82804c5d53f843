// Package failpoint ends or halts the process at a named point, so that tests see what a crash there leaves behind, or
// what happens around a process that is exactly there. It does so only in programs built with the tag "failpoints", and
// only where the environment variable BUS3_FAILPOINT says so:
//
//	name             SIGKILL the first time that the point is passed
//	name:3           SIGKILL the third time
//	name:pause=FILE  make FILE the first time that the point is passed, and go on when it is gone
//
// In all other programs Hit is empty and costs nothing.
package failpoint

const (
	// Variable is the environment variable that chooses the point.
	Variable = "BUS3_FAILPOINT"
	// SmallVariable is the environment variable that, if it is not empty, makes Small true.
	SmallVariable = "BUS3_SMALL"
)
