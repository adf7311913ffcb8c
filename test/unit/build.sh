# build.sh: what test/unit/run and test/fuzz/run share; sourced, not run.
#
# Sets: tree, build.  Uses: CC, PG_CONFIG, ELAC_BUILD, ELAC_CFLAGS.

tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CC=${CC:-cc}
PG_CONFIG=${PG_CONFIG:-pg_config}

if [ -n "${ELAC_BUILD:-}" ]; then
	build=$ELAC_BUILD
	mkdir -p "$build"
else
	build=$(mktemp -d "${TMPDIR:-/tmp}/elacsym-unit.XXXXXX")
	trap 'rm -rf "$build"' EXIT
fi

warnings='-Wall -Wextra -Werror -Wmissing-prototypes -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers'
case $($CC --version) in
	*clang*) warnings="$warnings -Wno-ignored-attributes -Wno-missing-braces" ;;
	*) warnings="$warnings -Wno-clobbered" ;;
esac

# The flags of server code, from the server that PG_CONFIG names.
server_flags() {
	echo "-D_GNU_SOURCE -I$tree/src -I$tree/test/unit -I$($PG_CONFIG --includedir-server)"
}

# A file or folder newer than $1?  Headers count for every object.
is_stale() {
	local object=$1 source=$2
	[ ! -e "$object" ] || [ "$source" -nt "$object" ] ||
		[ -n "$(find "$tree/src" "$tree/test/unit" -name '*.h' -newer "$object" -print -quit)" ]
}

# compile SOURCE OBJECT FLAGS...
compile() {
	local source=$1 object=$2
	shift 2
	is_stale "$object" "$source" || return 0
	mkdir -p "$(dirname "$object")"
	$CC -std=gnu11 -g $warnings "$@" ${ELAC_CFLAGS:-} -c "$source" -o "$object" || { rm -f "$object"; return 1; }
}

# compile_all FOLDER FLAGS... reads "source object" lines, two at a time;
# prints the sources that do not compile.
compile_all() {
	local list=$1 source object
	shift
	local n=0
	while read -r source object; do
		{ compile "$source" "$object" "$@" || echo "$source" >>"$list.bad"; } &
		n=$((n + 1))
		[ $((n % 2)) -eq 0 ] && wait
	done <"$list"
	wait
}

# library NAME FLAGS...: $build/NAME/lib.a from the layers below lsm, the
# settings and the shim.  A source that does not compile is left out and
# named in $build/NAME/list.bad.
library() {
	local name=$1 source
	shift
	mkdir -p "$build/$name"
	for source in "$tree"/src/{base,storage,vector,text,attr,segment}/*.c "$tree"/src/guc.c \
		"$tree"/test/unit/{check,pgshim,pgshim_lib}.c; do
		[ -e "$source" ] && echo "$source $build/$name/$(basename "$source" .c).o"
	done >"$build/$name.list"
	mv "$build/$name.list" "$build/$name"/list
	rm -f "$build/$name"/list.bad
	# shellcheck disable=SC2046
	compile_all "$build/$name"/list $(server_flags) "$@"
	rm -f "$build/$name/lib.a"
	# the shim's objects are linked by name: an archive would let libpgcommon's win
	awk '{ print $2 }' "$build/$name/list" | grep -v -E '/(check|pgshim|pgshim_lib)\.o$' |
		xargs ls 2>/dev/null | xargs ar rcs "$build/$name/lib.a"
}

# link_with_library NAME OBJECT PROGRAM FLAGS...
#
# What neither the library nor the client libraries of the server have becomes
# a function that prints its name and ends the program.
link_with_library() {
	local name=$1 object=$2 program=$3
	shift 3
	local pkglib missing libs
	pkglib=$($PG_CONFIG --pkglibdir)
	libs="$build/$name/lib.a $build/$name/pgshim.o $build/$name/pgshim_lib.o $build/$name/check.o"
	for lib in libpgcommon.a libpgport.a; do
		[ -e "$pkglib/$lib" ] && libs="$libs $pkglib/$lib"
	done
	# the server's HMAC is OpenSSL's where it was built with it
	libs="$libs -lzstd -lcurl $($PG_CONFIG --libs | grep -o -- '-lcrypto') -lm -lpthread -Wl,-z,muldefs"
	# shellcheck disable=SC2086
	if $CC "$@" "$object" $libs -o "$program" 2>"$program.link"; then
		return 0
	fi
	missing=$(sed -n "s/.*undefined reference to [\`']\([A-Za-z0-9_]*\)'.*/\1/p; s/.*undefined symbol: \([A-Za-z0-9_]*\).*/\1/p" "$program.link" | sort -u)
	[ -n "$missing" ] || { cat "$program.link" >&2; return 1; }
	{
		echo '#include <stdio.h>'
		echo '#include <stdlib.h>'
		for symbol in $missing; do
			echo "void $symbol(void) { printf(\"# called %s, which the shim does not have\\n\", \"$symbol\"); fflush(stdout); abort(); }"
		done
	} >"$program.stubs.c"
	# shellcheck disable=SC2086
	$CC -w -fno-builtin "$@" "$program.stubs.c" "$object" $libs -o "$program"
}
