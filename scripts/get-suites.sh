#!/usr/bin/env bash
# Brings the test suites of the drivers themselves into the build folder (target/suites), for tests/suites: those of the Python and
# Rust packages from their source packages, the others from Debian's source packages. Only what is missing; nothing of the system
# changes.
#
#   scripts/get-suites.sh cut     those of which a part runs with all other tests: about 40 MB
#   scripts/get-suites.sh         all: 210 MB
#
# A suite that cannot be had is named on stderr, and its test says that it is skipped. These cannot be had, since their published
# packages come without tests: mysql2 and mariadb for Node, asyncmy; and that of mysql2 for Ruby, whose source Debian's server lacks.
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$here/target}
mkdir -p "$target/suites"
folder=$(cd "$target/suites" && pwd)
python=$target/clients/python/bin/python3

say() { printf 'get-suites: %s\n' "$*" >&2; }

# from_python NAME [VERSION]: without a version that which is installed, and so tested, as requirements.txt pins it.
from_python() {
  local name=$1${2:+-$2} pinned=$1==${2:-}
  [ -d "$folder/$name" ] && return 0
  [ -n "${2:-}" ] || pinned=$(grep -i "^$1==" "$here/tests/clients/python/requirements.txt")
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

# from_crate NAME LOCKFILE: the source as cargo has it, of the version that is locked.
from_crate() {
  local name=$1 lock=$2 version source
  version=$(sed -n "/^name = \"$name\"$/{n;s/^version = \"\(.*\)\"$/\1/p;}" "$lock")
  cargo fetch --quiet --locked --manifest-path "$(dirname "$lock")/Cargo.toml" || true
  source=$(find "${CARGO_HOME:-$HOME/.cargo}/registry/src" -mindepth 2 -maxdepth 2 -name "$name-$version" 2> /dev/null | head -n 1)
  if [ -z "$source" ]; then
    say "without the suite of $name: its source cannot be had"
    return 1
  fi
  rm -rf "$folder/work" && cp -r "$source" "$folder/work"
  say "$name $version"
}

# Its own lock file goes with it. A package in the folder of another is no part of that.
mysql_async() {
  [ -d "$folder/mysql_async" ] && return 0
  from_crate mysql_async "$here/Cargo.lock" || return 0
  printf '\n[workspace]\n' >> "$folder/work/Cargo.toml"
  mv "$folder/work" "$folder/mysql_async"
}

# The tests that need neither a schema at compile time nor 8 GB of memory, in a package of ours.
sqlx() {
  [ -d "$folder/sqlx" ] && return 0
  from_crate sqlx "$here/tests/clients/sqlx-suite/Cargo.lock" || return 0
  mkdir -p "$folder/sqlx.new/tests"
  cp -r "$here/tests/clients/sqlx-suite/." "$folder/sqlx.new"
  for name in mysql types error describe derives; do cp "$folder/work/tests/mysql/$name.rs" "$folder/sqlx.new/tests"; done
  rm -rf "$folder/work"
  mv "$folder/sqlx.new" "$folder/sqlx"
}

# The tests of MariaDB's Connector/J, built on the installed library.
connector_j() {
  [ -d "$folder/connector-j/built" ] && return 0
  rm -rf "$folder/connector-j"
  from_debian connector-j mariadb-connector-java '*/src/test/*'
  [ -d "$folder/connector-j/src" ] || return 0
  (
    cd "$folder/connector-j"
    mkdir work
    find src/test/java -name '*.java' > sources
    jars=/usr/share/java
    if javac -nowarn -encoding UTF-8 -d work @sources \
      -cp "$jars/mariadb-java-client.jar:$jars/junit4.jar:$jars/hamcrest.jar:$jars/slf4j-api.jar:$jars/jna.jar:$jars/jna-platform.jar" > errors 2>&1; then
      mv work built
    else
      say "without the suite of Connector/J: it cannot be built, see $PWD/errors"
    fi
  )
}

# The unit tests of libmariadb, each a program on the installed library; without those that use what it does not export (basic-t,
# charset, dyncol, rpl_api) and those that want a folder of certificates (ssl).
libmariadb() {
  local name
  [ -d "$folder/libmariadb/programs" ] && return 0
  rm -rf "$folder/libmariadb"
  from_debian libmariadb mariadb '*/libmariadb/include/*' '*/libmariadb/unittest/*'
  [ -d "$folder/libmariadb/libmariadb" ] || return 0
  (
    cd "$folder/libmariadb"
    cp libmariadb/unittest/libmariadb/data.csv .
    # What cmake would find out, as far as the tests need it.
    {
      for name in ALLOCA_H DLFCN_H FCNTL_H FLOAT_H LIMITS_H PWD_H SELECT_H STDDEF_H STDINT_H STDLIB_H STRING_H STRTOLL STRTOULL \
        SYS_IOCTL_H SYS_SELECT_H SYS_SOCKET_H SYS_STAT_H SYS_TYPES_H UNISTD_H OPENSSL TLS; do printf '#define HAVE_%s 1\n' $name; done
      for name in INT LONG LONG_LONG SIZE_T; do printf '#define SIZEOF_%s __SIZEOF_%s__\n' $name $name; done
      printf '#define SIZEOF_CHARP __SIZEOF_POINTER__\n#define SOCKET_SIZE_TYPE socklen_t\n#define MARIADB_DEFAULT_CHARSET "utf8mb4"\n'
    } > libmariadb/include/ma_config.h
    mkdir built
    for name in async bulk1 conc336 connection cursor errors features-10_2 fetch logs misc performance ps ps_bugs ps_new result sp thread view; do
      # shellcheck disable=SC2046  # a list of options
      cc -w -DLIBMARIADB -DHAVE_SSL $(mariadb_config --include) -Ilibmariadb/include -Ilibmariadb/unittest/mytap \
        "libmariadb/unittest/libmariadb/$name.c" libmariadb/unittest/libmariadb/ma_getopt.c libmariadb/unittest/mytap/tap.c \
        -o "built/$name" -lmariadb -lpthread -lm 2>> errors || say "without $name of libmariadb's tests: it cannot be built"
    done
    mv built programs
  )
}

from_python mysqlclient
from_python Django
from_python SQLAlchemy
# The last version whose package has tests.
from_python PyMySQL 0.9.3
from_debian dbd-mysql libdbd-mysql-perl '*'
php=$(php -r 'echo PHP_MAJOR_VERSION, ".", PHP_MINOR_VERSION;' 2> /dev/null || echo 8.2)
from_debian php "php$php" '*/ext/mysqli/tests/*' '*/ext/pdo_mysql/tests/*' '*/ext/pdo/tests/*' '*/run-tests.php'
if [ "${1:-}" != cut ]; then
  from_python mysql-connector-python
  from_debian dbd-mariadb libdbd-mariadb-perl '*'
  libmariadb
  connector_j
  from_debian rails rails '*/activerecord/test/*'
  mysql_async
  sqlx
fi
rm -rf "$folder/apt"
