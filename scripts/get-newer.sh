#!/usr/bin/env bash
# What get-mysql.sh and get-mariadb.sh have in common: unpacks packages of Debian's newest suite, with all that they
# depend on, into one folder, and makes a script for each program that runs it by the folder's own dynamic loader.
#
#   NEWER_NAME, NEWER_SERVER, NEWER_CLIENT, NEWER_PACKAGES, NEWER_PROGRAMS=... scripts/get-newer.sh FOLDER
#
# Exit code 3: this machine cannot have it (no Debian, no such suite), with the reason on stderr.
set -euo pipefail

mkdir -p "$1"
folder=$(cd "$1" && pwd)
suite=sid

say() { printf '%s: %s\n' "$NEWER_NAME" "$*" >&2; }
cannot() { say "cannot: $*"; exit 3; }

if [ -x "$folder/bin/$NEWER_CLIENT" ] && [ -x "$folder/bin/$NEWER_SERVER" ] && "$folder/bin/$NEWER_SERVER" --no-defaults --version > /dev/null 2>&1; then
  say "it is here already: $folder/bin"
  exit 0
fi
for tool in apt-get dpkg-deb tar; do
  command -v "$tool" > /dev/null || cannot "no $tool: this works on Debian and its kin only"
done

# The archive that this system uses itself.
archive=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2> /dev/null | grep -v security | head -n 1 || true)
[ -n "$archive" ] || cannot "no Debian archive among this system's package sources"

rm -rf "$folder"
mkdir -p "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial" "$folder/root" "$folder/bin"
: > "$folder/apt/status"
key=
for candidate in /usr/share/keyrings/debian-archive-keyring.gpg /usr/share/keyrings/debian-archive-keyring.pgp; do
  if [ -r "$candidate" ]; then key="[signed-by=$candidate] "; break; fi
done
printf 'deb %s%s %s main\n' "$key" "$archive" "$suite" > "$folder/apt/sources.list"

# apt with a package database of its own, in which nothing is installed: it fetches the whole closure.
private() {
  "$@" -q -o Dir::Etc::sourcelist="$folder/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::Etc::preferencesparts=/dev/null -o Dir::State="$folder/apt" -o Dir::State::lists="$folder/apt/lists" \
    -o Dir::State::status="$folder/apt/status" -o Dir::Cache="$folder/apt/cache" -o Dir::Log="$folder/apt" \
    -o APT::Install-Recommends=0 -o APT::Default-Release= -o APT::Sandbox::User=root -o Acquire::Languages=none \
    -o Acquire::Retries=3 -o APT::Update::Error-Mode=any > "$folder/apt/log" 2>&1
}

say "fetching $NEWER_PACKAGES from Debian's suite $suite"
private apt-get update || { tail -n 3 "$folder/apt/log" >&2; cannot "the package lists of $suite"; }
# shellcheck disable=SC2086  # a list of names
private apt-get -y --download-only install $NEWER_PACKAGES || { tail -n 3 "$folder/apt/log" >&2; cannot "the packages of $suite"; }

say "unpacking"
for deb in "$folder"/apt/cache/archives/*.deb; do
  dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$folder/root" --no-same-owner \
    --exclude='./usr/share/doc' --exclude='./usr/share/man' --exclude='./usr/share/locale'
done
rm -rf "$folder/apt"

# Each program as a script that runs it by the unpacked loader, on the unpacked libraries.
loader=$(find "$folder/root" -name 'ld-linux*.so.*' | head -n 1)
libc=$(find "$folder/root/usr/lib" -name 'libc.so.6' | head -n 1)
[ -n "$loader" ] && [ -n "$libc" ] || cannot "no C library among the packages"
cd "$folder/root"
# shellcheck disable=SC2086  # a list of patterns
for name in $NEWER_PROGRAMS; do
  program=$folder/root/$name
  [ -f "$program" ] && [ "$(head -c 4 "$program" | tr -d '\0')" = "$(printf '\177ELF')" ] || continue
  script=$folder/bin/$(basename "$program")
  # shellcheck disable=SC2016  # for the script to expand
  printf '#!/bin/sh\nexec "%s" --library-path "%s" --argv0 "%s" "%s" "$@"\n' \
    "$loader" "$(dirname "$libc")" "$program" "$program" > "$script"
  chmod 755 "$script"
done
version=$("$folder/bin/$NEWER_SERVER" --no-defaults --version) || cannot "the unpacked server does not run here"
say "$version"
