#!/usr/bin/env bash
# Brings MySQL 9 beside a Debian system that does not have it, for the tests: Debian's own packages of a newer suite,
# with all that they depend on, unpacked into one folder and run by that folder's own dynamic loader. Nothing of the
# system changes, and root is not needed. The first time takes a minute and some 460 MB.
#
#   scripts/get-mysql.sh [FOLDER]     default: target/mysql; the programs are then in FOLDER/bin
#
# Exit code 3: this machine cannot have it (no Debian, no such suite), with the reason on stderr.
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
export NEWER_NAME=get-mysql NEWER_SERVER=mysqld NEWER_CLIENT=mysql
export NEWER_PACKAGES="mysql-server-core mysql-client-core"
export NEWER_PROGRAMS="usr/sbin/mysqld usr/bin/mysql*"
exec "$here/scripts/get-newer.sh" "${1:-${CARGO_TARGET_DIR:-$here/target}/mysql}"
