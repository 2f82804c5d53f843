package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// row is one thing that is measured, for several subjects.
type row struct {
	Name, Unit string
	Limit      string // what the subject "limit" did; "" if there is no limit
	Bounds     []bound
}

// bound is something that bus3 must keep in a row: at most Factor times another median, or at most Max, or at least Min.
type bound struct {
	Factor  float64
	Subject string // whose median; "" is the judged subject itself
	Row     string // of which row; "" is the judged row itself

	Max, Min *float64
}

func atMost(v float64) bound                      { return bound{Max: &v} }
func atLeast(v float64) bound                     { return bound{Min: &v} }
func times(factor float64, subject string) bound  { return bound{Factor: factor, Subject: subject} }
func timesRow(factor float64, other string) bound { return bound{Factor: factor, Row: other} }
func (b bound) reference(in, subject string) (string, string) {
	if b.Row != "" {
		in = b.Row
	}
	if b.Subject != "" {
		subject = b.Subject
	}
	return in, subject
}

// String is the bound for people, without the unit.
func (b bound) String() string {
	switch {
	case b.Max != nil:
		return "≤ " + short(*b.Max)
	case b.Min != nil:
		return "≥ " + short(*b.Min)
	case b.Row != "":
		return fmt.Sprintf("≤ %s × “%s”", short(b.Factor), b.Row)
	}
	return fmt.Sprintf("≤ %s × %s", short(b.Factor), b.Subject)
}

// results are all values: by row, by subject, in the order of measurement.
type results map[string]map[string][]float64

func (r results) add(row, subject string, value float64) {
	if r[row] == nil {
		r[row] = map[string][]float64{}
	}
	r[row][subject] = append(r[row][subject], value)
}

// median is that of the values of a subject in a row; false if there are none.
func (r results) median(row, subject string) (float64, bool) {
	values := slices.Clone(r[row][subject])
	if len(values) == 0 {
		return 0, false
	}
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle], true
	}
	return (values[middle-1] + values[middle]) / 2, true
}

// outcome is what became of a bound.
type outcome int

const (
	met outcome = iota
	missed
	unknown // what it refers to was not measured
)

// verdict is a bound, judged for one subject.
type verdict struct {
	Outcome outcome
	Words   string
}

// judge holds what a subject did in a row against a bound. The subject must have been measured.
func (r results) judge(w *row, b bound, subject string) verdict {
	value, _ := r.median(w.Name, subject)
	what := fmt.Sprintf("%s, %s: %s", w.Name, subject, withUnit(value, w.Unit))
	switch {
	case b.Max != nil:
		return verdictOf(value <= *b.Max, fmt.Sprintf("%s; at most %s", what, withUnit(*b.Max, w.Unit)))
	case b.Min != nil:
		return verdictOf(value >= *b.Min, fmt.Sprintf("%s; at least %s", what, withUnit(*b.Min, w.Unit)))
	}
	inRow, of := b.reference(w.Name, subject)
	reference, ok := r.median(inRow, of)
	if !ok {
		return verdict{unknown, fmt.Sprintf("%s; %s was not measured", what, b.referenceName(of))}
	}
	return verdictOf(value <= b.Factor*reference, fmt.Sprintf("%s, that is %s × %s (%s); at most %s ×",
		what, ratio(value, reference), b.referenceName(of), withUnit(reference, w.Unit), short(b.Factor)))
}

func (b bound) referenceName(subject string) string {
	if b.Row != "" {
		return "“" + b.Row + "”"
	}
	return subject
}

func verdictOf(ok bool, words string) verdict {
	if ok {
		return verdict{met, words}
	}
	return verdict{missed, words}
}

// ratio is a/b for people.
func ratio(a, b float64) string {
	if b == 0 {
		return "∞"
	}
	return short(a / b)
}

func withUnit(v float64, unit string) string { return strings.TrimSpace(short(v) + " " + unit) }

// short is a number with three digits that count, or all digits before the point.
func short(v float64) string {
	switch {
	case v == float64(int64(v)):
		return strconv.FormatInt(int64(v), 10)
	case v >= 100 || v <= -100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10 || v <= -10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strings.TrimRight(strings.TrimRight(strconv.FormatFloat(v, 'f', 3, 64), "0"), ".")
}
