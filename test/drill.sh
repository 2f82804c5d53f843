#!/usr/bin/env bash
# The drill: several backups of three trees from two hosts, on PostgreSQL and S3. Then, three times, the database is
# dropped and every local file deleted; what is left is the bucket, and the first time a key file, the second time a
# passphrase, the third time an SSH key. Each time all must come back, byte for byte, in SQLite and in a new database,
# and backups must go on where they stopped.
#
#   BUS3   the program                                    STORE  URL of an empty store
#   WORK   an empty directory, on a file system with xattrs
#   PGHOST, PGUSER, …  where PostgreSQL is, as for psql; AWS_…  what opens the store, as for any S3 program
set -euo pipefail
export LC_ALL=C TZ=UTC
: "${BUS3:?}" "${STORE:?}" "${WORK:?}"

trees=$WORK/machine/trees # a machine has its data, and bus3's files
mountpoint=$WORK/mnt
database=bus3_drill_$$
export HOME=$WORK/machine/home BUS3_STORE=$STORE

say() { printf '\n== %s\n' "$*"; }
die() { printf 'drill: %s\n' "$*" >&2; exit 1; }
bus3() { "$BUS3" "$@"; }
sql() { psql --quiet --no-psqlrc --dbname=postgres --set=ON_ERROR_STOP=1 --command="$1"; }

clean() {
	if mountpoint -q "$mountpoint"; then bus3 umount "$mountpoint"; fi
	sql "DROP DATABASE IF EXISTS $database WITH (FORCE)"
}
trap clean EXIT

# machine: an empty machine, with an empty database.
machine() {
	mkdir -p "$HOME" "$trees" "$mountpoint"
	sql "CREATE DATABASE $database TEMPLATE template0"
}

# disaster: the machine is gone, and the database.
disaster() {
	rm -rf "$WORK/machine"
	sql "DROP DATABASE $database WITH (FORCE)"
}

# open_with file|passphrase|ssh: what bus3 opens the repository with from now on. Nothing else is there any more.
open_with() {
	unset BUS3_KEY_FILE BUS3_PASSPHRASE_FILE
	case $1 in
	file) export BUS3_KEY_FILE=$WORK/key.txt ;;
	passphrase) export BUS3_PASSPHRASE_FILE=$WORK/passphrase ;;
	ssh) export BUS3_KEY_FILE=$WORK/id_ed25519 ;;
	esac
}

# plant: three trees that have little in common.
plant() {
	mkdir -p "$trees"/{home/alice,home/bob,photos,srv/"odd names"}
	for i in {1..60}; do
		printf 'letter %d\n' "$i" >"$trees/home/alice/letter-$i"
	done
	seq 1 50000 >"$trees/home/bob/numbers"
	ln "$trees/home/bob/numbers" "$trees/home/alice/the same numbers"
	ln -s ../bob/numbers "$trees/home/alice/symlink"
	setfattr -n user.comment -v 'an attribute' "$trees/home/alice/letter-1"
	chmod 0750 "$trees/home/bob"

	head -c 3000000 /dev/urandom >"$trees/photos/one.raw"
	head -c 2000000 /dev/urandom >"$trees/photos/two.raw"
	truncate -s 40M "$trees/photos/sparse"
	printf 'data behind a hole' | dd of="$trees/photos/sparse" bs=1 seek=30000000 conv=notrunc status=none

	touch -d '1969-07-20 20:17:40.123456789' "$trees/srv/odd names/"$'before\n1970'
	touch -d '2106-02-07 06:28:16.5' "$trees/srv/odd names/after 2106"
	printf 'x' >"$trees/srv/odd names/"$'not \xff UTF-8'
	mkfifo "$trees/srv/fifo"
	setfacl -m u:12345:r,d:u:12345:rx "$trees/srv/odd names"
	touch -d '2001-09-09 01:46:40' "$trees/srv/odd names"
}

# change N: what happens to the trees between backups.
change() {
	printf 'postscript %d\n' "$1" >>"$trees/home/alice/letter-$1"
	mv "$trees/home/bob" "$trees/home/bob-$1"
	mkdir "$trees/home/bob" && cp -p "$trees/home/bob-$1/numbers" "$trees/home/bob/numbers"
	rm "$trees/home/alice/letter-5$1"
	head -c 500000 /dev/urandom >>"$trees/photos/one.raw"
	printf 'new %d' "$1" >"$trees/srv/new-$1"
	setfattr -n user.changed -v "$1" "$trees/srv"
}

# record FILE: of every file of every scan, as the mount shows them, names, attributes, extended attributes and SHA-256.
record() {
	bus3 mount --quiet --background "$mountpoint"
	(
		cd "$mountpoint"
		for scan in $(find . -maxdepth 1 -name '[0-9]*' -printf '%P\n' | sort -n); do
			printf '\n## scan %s\n' "$scan"
			find "$scan" -printf '%p %y %i %m %U:%G %n %s %b %T@ %l\0' | sort -z | tr '\0' '\n'
			find "$scan" -print0 | sort -z | xargs -0 getfattr --no-dereference --dump --match=- --encoding=hex --
			find "$scan" -type f -print0 | sort -z | xargs -0 sha256sum --
		done
		printf '\n## which scan is whose\n'
		find by-host latest -type l -printf '%p %l\n' | sort
	) >"$1"
	bus3 umount "$mountpoint"
}

# same FILE FILE: two records that must not differ in a byte.
same() {
	cmp "$1" "$2" || { diff "$1" "$2" | head -n 40; die 'the record is not what it was'; }
	printf 'identical: %d lines, SHA-256 %.16s…\n' "$(wc -l <"$1")" "$(sha256sum <"$1")"
}

# backup HOST TREE [WORD…]: a backup that must have the next number, and whose summary must have the words.
next=0
backup() {
	local summary word
	summary=$(bus3 backup --quiet --json --host "$1" "$trees/$2" | tail -n 1)
	for word in "\"scan\":$next," '"state":"complete"' "${@:3}"; do
		[[ $summary == *"$word"* ]] || die "the backup of $2 on $1 does not say $word: $summary"
	done
	next=$((next + 1))
}

say 'Hosts A and B back three trees up, with changes between'
printf 'correct horse battery staple\n' >"$WORK/passphrase"
chmod 0600 "$WORK/passphrase"
ssh-keygen -q -t ed25519 -N '' -C drill -f "$WORK/id_ed25519"
machine
export BUS3_CATALOG=postgres:///$database
open_with file
bus3 init
BUS3_NEW_PASSPHRASE_FILE=$WORK/passphrase bus3 key add --label passphrase
bus3 key add --label ssh --recipient-file "$WORK/id_ed25519.pub"
plant
backup A home
backup A photos
backup B srv
change 1
backup A home
backup B srv
backup B home # another host has it too
change 2
backup A home
backup A photos
backup B srv
bus3 list

for secret in file passphrase ssh; do
	open_with $secret
	record "$WORK/before"
	say "A disaster: the database and every local file are gone; the bucket and the $secret are left"
	disaster
	machine

	say 'Rebuild into SQLite'
	export BUS3_CATALOG=sqlite://$WORK/machine/catalog.db
	bus3 rebuild
	record "$WORK/after"
	same "$WORK/before" "$WORK/after"

	say 'Rebuild into a new PostgreSQL database'
	export BUS3_CATALOG=postgres:///$database
	bus3 rebuild
	record "$WORK/after"
	same "$WORK/before" "$WORK/after"

	say 'Restore the trees, and go on'
	bus3 restore all "$trees/home" 6
	bus3 restore all "$trees/photos" 7
	bus3 restore all "$trees/srv" 8
	for tree in 'A home' 'A photos' 'B srv'; do
		backup $tree '"data_added":0,' # two words: host and tree
	done
	bus3 check
done
bus3 list
say 'Nothing was lost'
