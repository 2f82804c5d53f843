package pack

import "strings"

// HasHeader tells whether body begins as a pack of a known version does. Readers of segments have no need to ask.
func HasHeader(body []byte) bool {
	return len(body) >= len(header) && strings.HasPrefix(string(body[:len(header)]), header)
}
