package catalog

import "strings"

// ProgramLost is Begin.Program of a scan whose beginning is lost, in catalogs only.
const ProgramLost = "lost"

// lossWords are what the message of a problem begins with that stands for a lost journal object, before the object's key.
const lossWords = "journal object "

// LossProblem is how a catalog that was filled without a journal object remembers that: a problem of the scan, in the
// place of what the object had told. The reason is the end of a sentence that begins with the key.
func LossProblem(root, key, reason string) Problem {
	return Problem{Path: root, Message: lossWords + key + " " + reason}
}

// LostKey is the key of the journal object that LossProblem made p of; "" if it did not.
func (p *Problem) LostKey() string {
	rest, made := strings.CutPrefix(p.Message, lossWords)
	if !made {
		return ""
	}
	key, _, _ := strings.Cut(rest, " ")
	return key
}
