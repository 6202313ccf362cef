#!/bin/sh
# The scenario with the mariadb command line: scenario.sh MODE HOST PORT USER PASSWORD SCHEMA. What it prints is the
# transcript. MODE is batch, quick, dump or
# mysqldump (the programs of MySQL in $MYSQL_BIN).
set -eu
mode=$1 host=$2 port=$3 user=$4 schema=$6
export MYSQL_PWD=$5
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

login="--host=$host --port=$port --user=$user --protocol=tcp --default-character-set=utf8mb4"
# shellcheck disable=SC2086  # a list of options
cli() { mariadb --no-defaults $login --local-infile=1 "$@" "$schema" 2>&1; }
# An error ends the client, and shall not end us.
try() { printf -- '--- %s\n' "$*"; cli "$@" || printf 'exit %s\n' "$?"; }

if [ "$mode" = dump ] || [ "$mode" = mysqldump ]; then
  if [ "$mode" = dump ]; then
    dumper="mariadb-dump --no-defaults" importer="mariadb-import --no-defaults"
  else
    # MySQL's own programs. The account may not see tablespaces.
    dumper="$MYSQL_BIN/mysqldump --no-defaults --no-tablespaces --skip-masking-policies --set-gtid-purged=OFF" importer="$MYSQL_BIN/mysqlimport --no-defaults"
    cli() { "$MYSQL_BIN/mysql" --no-defaults $login --local-infile=1 "$@" "$schema" 2>&1; }
  fi
  # shellcheck disable=SC2086
  dump() { $dumper $login --skip-dump-date --hex-blob "$@"; }
  dump --single-transaction --routines --triggers "$schema" > "$work/one.sql"
  cksum < "$work/one.sql"
  dump --lock-tables --no-data "$schema"
  dump --where 'id < 5' "$schema" customers orders
  # Back into it, and once more out of it: the same. MySQL says a column's collation in more words the second time.
  cli < "$work/one.sql"
  dump --single-transaction --routines --triggers "$schema" > "$work/one.sql"
  cli < "$work/one.sql"
  dump --single-transaction --routines --triggers "$schema" > "$work/two.sql"
  sed -i 's/ AUTO_INCREMENT=[0-9]*//' "$work/one.sql" "$work/two.sql"
  diff "$work/two.sql" "$work/one.sql" && echo 'the same after a round trip'
  # A file of the client, by the program for it: the table is the file's name.
  awk 'BEGIN { for (i = 10000; i < 13000; i++) printf "%d\tloaded %d\t%d.50\t1\n", i, i, i % 7 }' > "$work/imports.tsv"
  # shellcheck disable=SC2086
  $importer $login --local "$schema" "$work/imports.tsv"
  cli -e 'SELECT COUNT(*), SUM(amount) FROM imports'
  exit 0
fi

[ "$mode" = quick ] && quick=--quick || quick=--skip-column-names
[ "$mode" = quick ] || cli -t -v -v < "$here/page.sql" | grep -av ' row.* in set\|^Query OK' | sed 's/([0-9.]* sec)//'
cli $quick < "$here/page.sql"
# Types, lengths and flags of all columns, as the server described them.
cli --column-type-info $quick < "$here/page.sql"
cli -v $quick < "$here/checkout.sql"
try -e 'SELECT 1; SELECT 2 AS two, NULL AS nothing; SELECT "three"'
try --delimiter='//' -e 'SELECT 1 AS a; SELECT 2 AS b; DO 0 // SELECT 3 AS c //'
printf '\\. %s\n' "$here/page.sql" > "$work/source.sql"
cli $quick < "$work/source.sql"

awk 'BEGIN { for (i = 10000; i < 13000; i++) printf "%d\tloaded %d\t%d.50\n", i, i, i % 7 }' > "$work/lines.tsv"
awk 'BEGIN { printf "INSERT INTO imports (id, name, amount) VALUES (0, \"é\", 1)"; for (i = 1; i < 4000; i++) printf ", (%d, \"name %d é\", %d.25)", i, i, i % 100; print ";" }' > "$work/import.sql"
cli < "$work/import.sql"
sed 's/;$/ ON DUPLICATE KEY UPDATE seen = seen + 1;/' "$work/import.sql" > "$work/upsert.sql"
cli < "$work/upsert.sql"
cli -e "LOAD DATA LOCAL INFILE '$work/lines.tsv' INTO TABLE imports (id, name, amount); SELECT ROW_COUNT(); SELECT COUNT(*), SUM(amount), SUM(seen) FROM imports"
try -e "LOAD DATA LOCAL INFILE '$work/missing.tsv' INTO TABLE imports" | sed "s|$work|WORK|g"

try -e 'INSERT INTO customers (id, name) VALUES (1, "again")'
try -e 'SELEC 1'
try -e 'SELECT * FROM no_such_table'
try -e 'SELECT * FROM vault.secrets'
try -e 'USE vault_that_is_not'
try --force -e 'SELECT 1; SELEC 2; SELECT 3'
try -e 'SELECT CAST("12 apples" AS SIGNED) AS n; SHOW WARNINGS'
try --show-warnings -e 'SELECT CAST("12 apples" AS SIGNED) AS n; SELECT 1/0'
try -e 'INSERT IGNORE INTO customers (id, name) VALUES (1, "again"); SHOW WARNINGS; SHOW COUNT(*) WARNINGS; SELECT @@warning_count'
try -e 'SELECT SQL_CALC_FOUND_ROWS id FROM customers LIMIT 2; SELECT FOUND_ROWS()'
try -e 'SET @total := 40; SET @total = @total + 2; SELECT @total; SELECT MAX(id) INTO @max FROM customers; SELECT @max'
try -e 'PREPARE s FROM "SELECT id, name FROM customers WHERE id = ?"; SET @id = 3; EXECUTE s USING @id; DEALLOCATE PREPARE s; EXECUTE s USING @id'
try -e 'CREATE TEMPORARY TABLE scratch AS SELECT id FROM customers; SELECT COUNT(*) FROM scratch; DROP TABLE scratch; SELECT * FROM scratch'
try -e 'SELECT GET_LOCK("shop", 1); SELECT IS_USED_LOCK("shop") IS NOT NULL; SELECT RELEASE_LOCK("shop")'
try -e 'LOCK TABLES customers READ; SELECT COUNT(*) FROM customers; SELECT COUNT(*) FROM orders; UNLOCK TABLES'
try -e 'SET SESSION sql_mode = "ANSI_QUOTES"; SELECT "id" FROM "customers" WHERE "id" = 2; SELECT @@sql_mode'
try -e 'SET time_zone = "+05:30"; SELECT FROM_UNIXTIME(0), @@time_zone; SET NAMES latin1; SELECT @@character_set_results, HEX("x")'
try -e 'USE vault; SELECT DATABASE(); SHOW TABLES; USE shop; SHOW TABLES'
try -e 'CREATE PROCEDURE two() BEGIN SELECT 1 AS a; SELECT 2 AS b, 3 AS c; END; ' --delimiter='$$'
try -e 'CALL two(); SELECT 4 AS d; DROP PROCEDURE two'
# A replica does not see the numbers that a transaction took and then rolled back.
try -e 'SHOW CREATE TABLE orders\G' | sed 's/ AUTO_INCREMENT=[0-9]*//'
try -e 'DESCRIBE products; SHOW INDEX FROM products; EXPLAIN SELECT * FROM customers WHERE id = 1' | sed 's/\t[0-9]*\tNULL\tNULL\t\tBTREE/ BTREE/'
try --xml -e 'SELECT id, note FROM customers WHERE id < 3'
try --html -e 'SELECT id, note FROM customers WHERE id < 3'
# Row by row, a million of them.
million='SELECT a.d * 100000 + b.d * 10000 + c.d * 1000 + d.d * 100 + e.d * 10 + f.d AS n, CONCAT("row ", f.d, " é") AS text FROM digits a, digits b, digits c, digits d, digits e, digits f'
cli --quick --skip-column-names -e "$million" | awk '{ n += 1; sum += $1; bytes += length($0) } END { printf "%d rows, sum %d, %d bytes\n", n, sum, bytes }'
