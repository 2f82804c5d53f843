package show

import "github.com/bus3/bus3/catalog"

// Mode is what `ls -l` begins a line with: "drwxr-xr-x", "-rwsr-xr-t".
func Mode(kind catalog.Kind, mode uint32) string {
	out := []byte("?rwxrwxrwx")
	switch kind {
	case catalog.File:
		out[0] = '-'
	case catalog.Directory:
		out[0] = 'd'
	case catalog.Symlink:
		out[0] = 'l'
	case catalog.FIFO:
		out[0] = 'p'
	case catalog.Socket:
		out[0] = 's'
	case catalog.CharDevice:
		out[0] = 'c'
	case catalog.BlockDevice:
		out[0] = 'b'
	}
	for i := range 9 {
		if mode&(1<<(8-i)) == 0 {
			out[1+i] = '-'
		}
	}
	special(&out[3], mode&0o4000 != 0, 's')
	special(&out[6], mode&0o2000 != 0, 's')
	special(&out[9], mode&0o1000 != 0, 't')
	return string(out)
}

// special replaces an x with letter, and a - with the capital letter.
func special(c *byte, set bool, letter byte) {
	switch {
	case set && *c == 'x':
		*c = letter
	case set:
		*c = letter - 'a' + 'A'
	}
}
