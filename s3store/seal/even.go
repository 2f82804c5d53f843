package seal

const (
	evenSpans = 64 // that even looks at
	evenSpan  = 64 // bytes of each
)

// even tells whether all bytes are about as frequent as all others in plain, as they are in noise, and in what was compressed
// or encrypted. It looks at some of it.
func even(plain []byte) bool {
	var counts [256]int
	n := 0
	step := max(len(plain)/evenSpans, evenSpan)
	for at := 0; at < len(plain); at += step {
		span := plain[at:min(at+evenSpan, len(plain))]
		for _, b := range span {
			counts[b]++
		}
		n += len(span)
	}
	pairs := 0 // of equal bytes; of even ones, one in 256 is
	for _, c := range counts {
		pairs += c * (c - 1)
	}
	return pairs*256*5 < n*(n-1)*6
}
