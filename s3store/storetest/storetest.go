// Package storetest is the conformance suite of s3store.Store: what every store must do, told by tests.
package storetest

import (
	"testing"

	"github.com/bus3/bus3/s3store"
)

// Run runs the suite. open returns a new, empty store each time.
func Run(t *testing.T, open func(t *testing.T) s3store.Store) {
	for name, test := range map[string]func(*testing.T, s3store.Store){
		"AnObjectComesBackAsItWasPut":         comesBack,
		"PutReplaces":                         replaces,
		"PutNewLeavesWhatIsThere":             leaves,
		"OneOfManyWhoPutNewWins":              oneWins,
		"TheBodyIsNotUsedAfterPut":            bodyIsFree,
		"WhatIsAbsentIsErrNotExist":           absent,
		"DeleteRemovesAndForgivesAbsence":     deletes,
		"GetRefusesWhatIsTooLarge":            tooLarge,
		"GetRangeGivesWhatThereIs":            ranges,
		"HostileKeysAreRefused":               hostileKeys,
		"ListIsSortedAndHeldToPrefixAndAfter": lists,
		"ListOfAnEmptyStoreIsEmpty":           listsNothing,
		"ListEndsWithTheErrorOfItsCaller":     listEnds,
		"ACancelledContextEndsEverything":     cancelled,
		"ProbeFindsConditionalPuts":           probes,
		"ManyAtOnce":                          parallel,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}
