#!/usr/bin/env bash
# Brings the test suites of the drivers themselves into the build folder, for tests/suites.rs: those of the Python packages from
# their source packages, the others from Debian's source packages. Only what is missing; nothing of the system changes.
#
#   scripts/get-suites.sh [FOLDER]     default: target/suites
#
# A suite that cannot be had is named on stderr, and its test says that it is skipped.
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$here/target}
mkdir -p "${1:-$target/suites}"
folder=$(cd "${1:-$target/suites}" && pwd)
python=$target/clients/python/bin/python3

say() { printf 'get-suites: %s\n' "$*" >&2; }

# The version that is installed, and so tested: as requirements.txt pins it.
from_python() {
  local name=$1 pinned
  [ -d "$folder/$name" ] && return 0
  pinned=$(grep -i "^$name==" "$here/tests/clients/python/requirements.txt")
  rm -rf "$folder/work" && mkdir "$folder/work"
  if "$python" -m pip --quiet --disable-pip-version-check download --no-deps --no-binary :all: -d "$folder/work" "$pinned"; then
    tar -xf "$folder"/work/*.tar.gz -C "$folder/work"
    mv "$(find "$folder/work" -mindepth 1 -maxdepth 1 -type d)" "$folder/$name"
    say "$pinned"
  else
    say "without the suite of $pinned: its source package cannot be had"
  fi
  rm -rf "$folder/work"
}

# apt with a package database of its own, which knows the source packages of this system's own suite.
sources() {
  local archive suite
  [ -e "$folder/apt/sources.list" ] && return 0
  archive=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2> /dev/null | grep -v security | head -n 1)
  # shellcheck disable=SC1091  # of the system
  suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
  mkdir -p "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial"
  : > "$folder/apt/status"
  printf 'deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$archive" "$suite" > "$folder/apt/list"
  mv "$folder/apt/list" "$folder/apt/sources.list"
  private update
}

private() {
  apt-get -qq -o Dir::Etc::sourcelist="$folder/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State="$folder/apt" \
    -o Dir::State::lists="$folder/apt/lists" -o Dir::State::status="$folder/apt/status" -o Dir::Cache="$folder/apt/cache" \
    -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=3 "$@" > "$folder/apt/log" 2>&1
}

# from_debian NAME PACKAGE PATTERN...: the files of the upstream source that match
from_debian() {
  local name=$1 package=$2
  shift 2
  [ -d "$folder/$name" ] && return 0
  rm -rf "$folder/work" && mkdir "$folder/work"
  if sources && (cd "$folder/work" && private --download-only --tar-only source "$package") && ls "$folder"/work/*.orig.tar.?z > /dev/null 2>&1; then
    tar -xf "$(ls "$folder"/work/*.orig.tar.?z)" -C "$folder/work" --wildcards "$@"
    mv "$(find "$folder/work" -mindepth 1 -maxdepth 1 -type d)" "$folder/$name"
    say "$package"
  else
    say "without the suite of $package: Debian's source package cannot be had"
  fi
  rm -rf "$folder/work"
}

from_python mysqlclient
from_python Django
from_python SQLAlchemy
from_debian dbd-mysql libdbd-mysql-perl '*'
from_debian dbd-mariadb libdbd-mariadb-perl '*'
php=$(php -r 'echo PHP_MAJOR_VERSION, ".", PHP_MINOR_VERSION;' 2> /dev/null || echo 8.2)
from_debian php "php$php" '*/ext/mysqli/tests/*' '*/ext/pdo_mysql/tests/*' '*/ext/pdo/tests/*' '*/run-tests.php'
rm -rf "$folder/apt"
