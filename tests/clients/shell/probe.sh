#!/bin/sh
# Logs in and prints the account: probe.sh mariadb|mysql HOST PORT USER PASSWORD off|on. `on`: only with TLS.
set -eu
export MYSQL_PWD=$5
if [ "$1" = mysql ]; then
  [ "$6" = on ] && tls=--ssl-mode=REQUIRED || tls="--ssl-mode=DISABLED --get-server-public-key"
  set -- "$MYSQL_BIN/mysql" --no-defaults --host="$2" --port="$3" --user="$4"
else
  [ "$6" = on ] && tls=--ssl || tls=--skip-ssl
  set -- mariadb --no-defaults --host="$2" --port="$3" --user="$4"
fi
# shellcheck disable=SC2086  # a list of options
exec "$@" $tls --protocol=tcp --default-character-set=utf8mb4 --batch --skip-column-names -e "SELECT CURRENT_USER(), 'é'"
