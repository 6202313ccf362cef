#!/usr/bin/env bash
# Brings a newer MariaDB beside a Debian system, for the tests of what Debian 12's does not have (the plugin parsec):
# Debian's own packages of a newer suite, with all that they depend on, unpacked into one folder and run by that folder's
# own dynamic loader. Nothing of the system changes, and root is not needed.
#
#   scripts/get-mariadb.sh [FOLDER]     default: target/mariadb; the programs are then in FOLDER/bin
#
# Exit code 3: this machine cannot have it (no Debian, no such suite), with the reason on stderr.
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
export NEWER_NAME=get-mariadb NEWER_SERVER=mariadbd NEWER_CLIENT=mariadb
export NEWER_PACKAGES="mariadb-server mariadb-client-core"
export NEWER_PROGRAMS="usr/sbin/mariadbd usr/bin/my_print_defaults usr/bin/resolveip usr/bin/mariadb"
exec "$here/scripts/get-newer.sh" "${1:-${CARGO_TARGET_DIR:-$here/target}/mariadb}"
