#!/bin/sh
# probe.sh mariadb|mysql CA: for each line HOST PORT USER PASSWORD off|on|verified of its input one line: the account and the sign asked
# for, or why not. `on`: only with TLS; `verified`: and with the server's certificate and name verified.
set -u
while read -r host port user MYSQL_PWD tls; do
  export MYSQL_PWD
  case $1-$tls in
    mysql-off) options="--ssl-mode=DISABLED --get-server-public-key" ;;
    mysql-on) options=--ssl-mode=REQUIRED ;;
    mysql-verified) options="--ssl-mode=VERIFY_IDENTITY --ssl-ca=$2" ;;
    mariadb-off) options=--skip-ssl ;;
    mariadb-on) options=--ssl ;;
    *) options="--ssl --ssl-ca=$2 --ssl-verify-server-cert" ;;
  esac
  if [ "$1" = mysql ]; then program=$MYSQL_BIN/mysql; else program=mariadb; fi
  # shellcheck disable=SC2086  # a list of options
  "$program" --no-defaults --host="$host" --port="$port" --user="$user" $options --protocol=tcp --default-character-set=utf8mb4 \
    --batch --skip-column-names -e "SELECT CURRENT_USER(), 'é'" < /dev/null 2>&1 | tr '\n' ' '
  echo
done
