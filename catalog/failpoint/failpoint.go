// Package failpoint kills the process at a named point, so that tests see what a crash there leaves behind. It does
// so only in programs built with the tag "failpoints", and only when the environment variable BUS3_FAILPOINT says
// "name" (the first time that the point is passed) or "name:count" (the count-th time). In all other programs Hit is
// empty and costs nothing.
package failpoint

// Variable is the environment variable that chooses the point.
const Variable = "BUS3_FAILPOINT"
