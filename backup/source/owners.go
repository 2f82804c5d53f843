package source

import (
	"bytes"
	"os"
	"os/user"
	"strconv"
	"sync"
)

// rememberedOwners is how many names of users, and of groups, are kept that are in no file.
const rememberedOwners = 4096

// Owners tells the names of users and groups. Its zero value is ready, and safe for concurrent use. It reads /etc/passwd
// and /etc/group once; whom they do not name, it asks the system for, once each.
type Owners struct {
	once   sync.Once
	mu     sync.RWMutex
	users  map[uint32]string
	groups map[uint32]string
}

// Names are the names of a user and a group, "" for those that have none.
func (o *Owners) Names(uid, gid uint32) (user, group string) {
	o.once.Do(func() {
		o.users = readNames("/etc/passwd")
		o.groups = readNames("/etc/group")
	})
	return o.name(&o.users, uid, askUser), o.name(&o.groups, gid, askGroup)
}

func (o *Owners) name(names *map[uint32]string, id uint32, ask func(string) string) string {
	o.mu.RLock()
	name, known := (*names)[id]
	o.mu.RUnlock()
	if known {
		return name
	}
	name = ask(strconv.FormatUint(uint64(id), 10))
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(*names) > rememberedOwners+1<<16 {
		return name
	}
	(*names)[id] = name
	return name
}

// askUser asks the system. It does not ask for whom this process runs as: os/user believes $USER about that.
func askUser(id string) string {
	if id == strconv.Itoa(os.Getuid()) {
		return ""
	}
	u, err := user.LookupId(id)
	if err != nil {
		return ""
	}
	return u.Username
}

func askGroup(id string) string {
	g, err := user.LookupGroupId(id)
	if err != nil {
		return ""
	}
	return g.Name
}

// readNames reads lines "name:password:id:…". The first line of an ID counts, as for getpwuid(3).
func readNames(file string) map[uint32]string {
	names := make(map[uint32]string)
	data, err := os.ReadFile(file)
	if err != nil {
		return names
	}
	for line := range bytes.Lines(data) {
		fields := bytes.SplitN(line, []byte(":"), 4)
		if len(fields) < 4 || len(fields[0]) == 0 || bytes.IndexByte([]byte("#+-"), fields[0][0]) >= 0 {
			continue
		}
		id, err := strconv.ParseUint(string(fields[2]), 10, 32)
		if err != nil {
			continue
		}
		if _, known := names[uint32(id)]; !known {
			names[uint32(id)] = string(fields[0])
		}
	}
	return names
}
