#!/bin/sh
# Installs what building, the demo, the tests and the benchmarks need, on Debian and its kin. Only what is missing.
#
#   scripts/install-deps.sh build    a C compiler, for cargo build
#   scripts/install-deps.sh demo     and the MariaDB server programs, which the demo runs privately
#   scripts/install-deps.sh test     and PHP, Python, Perl, Node, Ruby, Java, C and Rust with their MySQL drivers, MySQL itself, and
#                                    the test suites of some drivers
#   scripts/install-deps.sh test-clients   and all the drivers' own test suites
#   scripts/install-deps.sh bench    and sysbench and HAProxy
#   scripts/install-deps.sh --dry-run GROUP    only says what it would do
#
# Installs the programs of a MariaDB server, not its service: nothing is started, and a server that this machine
# already runs is left alone. Drivers that Debian does not have go to target/clients, not to the system.
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
clients=${CARGO_TARGET_DIR:-$here/target}/clients
dry=
policy=

say() { printf 'install-deps: %s\n' "$*"; }
die() { printf 'install-deps: error: %s\n' "$*" >&2; exit 1; }
have() { PATH="$PATH:/usr/sbin:/sbin:/usr/local/sbin" command -v "$1" > /dev/null 2>&1; }
usage() { sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0"; }

# As root, by sudo if need be.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    env "$@"
  elif have sudo; then
    sudo env "$@"
  else
    die "needs root for: $*"
  fi
}

packages=
optional=
# want PACKAGES PROGRAM...: the packages, unless all the programs are there
want() {
  names=$1
  shift
  for program in "$@"; do
    have "$program" || { packages="$packages $names"; return 0; }
  done
}

# --- what each group needs ---

build() { want "gcc libc6-dev" cc; }

server() {
  if [ -n "${POINTSMAN_SANDBOX_BIN:-}" ]; then return 0; fi
  have mariadbd && have mariadb-install-db && return 0
  # MySQL will do as well.
  have mysqld && return 0
  packages="$packages mariadb-server-core mariadb-client-core"
}

demo() { build; server; }

test_tools() {
  demo
  want php-cli php
  if ! have php || ! php -m 2> /dev/null | grep -qi '^pdo_mysql$'; then packages="$packages php-mysql"; fi
  want python3 python3
  if ! have python3 || ! python3 -c 'import ensurepip' 2> /dev/null; then packages="$packages python3-venv"; fi
  # Laravel's query builder; some of Debian's kin do not have it.
  if [ ! -e /usr/share/php/Illuminate/Database/autoload.php ]; then optional="$optional php-illuminate-database"; fi
  want mariadb-client mariadb-binlog
  want nodejs node
  want npm npm
  # Connector/C, which mysqlclient is built with, too. Python's headers are those of the python3 that is used.
  want "libmariadb-dev pkg-config" mariadb_config pkg-config
  if ! python_headers; then packages="$packages python3-dev"; fi
  if ! have ruby || ! ruby -e "require 'mysql2'; require 'active_record'" 2> /dev/null; then
    packages="$packages ruby-mysql2 ruby-activerecord"
  fi
  # The compiler too: Java runs the source file.
  want default-jdk-headless javac
  [ -e /usr/share/java/mariadb-java-client.jar ] || packages="$packages libmariadb-java"
  # Their own tests, and what runs them.
  want perl prove
  if ! perl -MDBD::mysql -e 1 2> /dev/null; then packages="$packages libdbd-mysql-perl"; fi
}

python_headers() {
  have python3 && python3 -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))'
}

suites() {
  test_tools
  if ! perl -MDBD::MariaDB -e 1 2> /dev/null; then packages="$packages libdbd-mariadb-perl"; fi
  # What Connector/J's tests are built and run with.
  for jar in junit4 hamcrest slf4j-api jna; do
    [ -e "/usr/share/java/$jar.jar" ] || packages="$packages junit4 libhamcrest-java libslf4j-java libjna-java"
  done
}

bench() { demo; want sysbench sysbench; want haproxy haproxy; }

# --- doing it ---

# haproxy and its like start a service when they are installed. policy-rc.d is Debian's way to say no to that.
no_services() {
  [ -e /usr/sbin/policy-rc.d ] && return 0
  as_root sh -c 'printf "#!/bin/sh\nexit 101\n" > /usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d'
  policy=made
}

services_again() {
  if [ -n "$policy" ]; then
    policy=
    as_root rm -f /usr/sbin/policy-rc.d
  fi
}
trap services_again EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# A fresh container has no package lists.
fetch_lists() {
  find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' 2> /dev/null | grep -q . && return 0
  say "fetching the package lists"
  as_root DEBIAN_FRONTEND=noninteractive apt-get -qq update
}

install_packages() {
  if have apt-get && [ -z "$dry" ] && [ -n "$packages$optional" ]; then fetch_lists; fi
  for name in $optional; do
    if apt-cache show "$name" > /dev/null 2>&1; then packages="$packages $name"; else say "without $name: not in apt"; fi
  done
  packages=$(printf '%s\n' $packages | sort -u | tr '\n' ' ')
  if [ -z "${packages# }" ]; then
    say "everything is here already"
    return 0
  fi
  if ! have apt-get; then
    say "this is not Debian or one of its kin. Please install what these Debian packages hold:"
    say "  $packages"
    exit 1
  fi
  say "missing: $packages"
  if [ -n "$dry" ]; then
    say "would run: apt-get install -y --no-install-recommends $packages"
    return 0
  fi
  no_services
  say "installing them; their services are not started"
  # shellcheck disable=SC2086  # a list of names
  if ! as_root DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $packages; then
    say "trying once more with fresh package lists"
    as_root DEBIAN_FRONTEND=noninteractive apt-get -qq update
    # shellcheck disable=SC2086
    as_root DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $packages \
      || die "apt-get could not install: $packages"
  fi
  services_again
}

# Drivers of other languages, in a folder of the build.
install_drivers() {
  python=$clients/python
  wanted=$here/tests/clients/python/requirements.txt
  if cmp -s "$wanted" "$python/requirements.txt"; then
    say "the drivers for Python are here"
  elif [ -n "$dry" ]; then
    say "would install the drivers for Python into $python"
  else
    say "installing the drivers for Python into $python"
    mkdir -p "$clients"
    python3 -m venv "$python"
    "$python/bin/pip" --quiet --disable-pip-version-check install --requirement "$wanted"
    # Last: a copy there says that all went well.
    cp "$wanted" "$python/requirements.txt"
  fi
  node=$clients/node
  wanted=$here/tests/clients/node/package-lock.json
  if cmp -s "$wanted" "$node/installed.json"; then
    say "the drivers for Node are here"
  elif [ -n "$dry" ]; then
    say "would install the drivers for Node into $node"
  else
    say "installing the drivers for Node into $node"
    mkdir -p "$node"
    cp "$here/tests/clients/node/package.json" "$wanted" "$node"
    npm ci --silent --no-audit --no-fund --prefix "$node"
    cp "$wanted" "$node/installed.json"
  fi
  rust=$clients/rust
  if [ -n "$dry" ]; then
    say "would build the client of sqlx in $rust"
  else
    say "building the client of sqlx in $rust"
    CARGO_TARGET_DIR=$rust cargo build --quiet --locked --manifest-path "$here/tests/clients/rust/Cargo.toml"
  fi
}

# MySQL beside MariaDB: the tests run on both. Without it those on MySQL say that they are skipped.
install_mysql() {
  if [ -n "$dry" ]; then
    say "would bring MySQL into the build folder by scripts/get-mysql.sh"
    return 0
  fi
  "$here/scripts/get-mysql.sh" || { [ $? = 3 ] && say "the tests on MySQL will be skipped"; }
}

[ "${1:-}" = --dry-run ] && dry=yes && shift
have cargo || [ -x "$HOME/.cargo/bin/cargo" ] || say "note: cargo is not here; Rust comes from https://rustup.rs"
case ${1:-} in
  build) build; install_packages ;;
  demo) demo; install_packages ;;
  test)
    test_tools; install_packages; install_drivers; install_mysql
    [ -n "$dry" ] || "$here/scripts/get-suites.sh" cut
    ;;
  test-clients)
    suites; install_packages; install_drivers; install_mysql
    [ -n "$dry" ] || { "$here/scripts/get-mariadb.sh" && "$here/scripts/get-suites.sh"; }
    ;;
  bench) bench; install_packages ;;
  *) usage; [ "${1:-}" = --help ] || exit 2 ;;
esac
