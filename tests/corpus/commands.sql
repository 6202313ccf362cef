# Commands of the protocol: as they should be, and malformed.

== simple commands
!ping
!ping
!init_db app
!init_db nowhere
!ping
!field_list people
!field_list people n%
!field_list people name
!field_list nowhere
!field_list strings
!field_list numbers
!field_list dates
!field_list rich
!field_list computed
!field_list app2.other
!field_list people nothing
!set_option 0
!set_option 1
!set_option 2
!set_option 65535
!reset
!ping
!debug
!ping
SELECT * FROM nowhere
!ping
BEGIN
!ping
!set_option 0
!field_list people
COMMIT
!ping
SELECT COUNT(*) FROM people WHERE name LIKE '%x%'
!ping
SELECT * FROM people
!ping
!set_option 0
SET autocommit = 0
!ping
SET autocommit = 1
!ping
SET sql_mode = 'NO_BACKSLASH_ESCAPES'
!ping
SET sql_mode = 'ANSI_QUOTES'
!ping
!reset
!ping

== unknown commands
!hex one 00
!hex one 05 61
!hex one 06 61
!hex one 07 01
!hex one 08
!hex one 0a
!hex one 0b
!hex one 0f
!hex one 10
!hex one 13
!hex one 14
!hex one 1d
!hex one 1e
!hex one 20
!hex one 21
!reconnect
!hex one 22
!hex one 30
!hex one 7f
!hex one 80
!hex one 99
!hex one fb
!hex one fc
!hex one fd
!hex one fe
!hex one ff
!ping

== malformed
!hex one 02
!hex one 1b
!hex one 1b 00
!hex one 1b 00 00 00
!hex one 0e 01 02
!hex one 1f 01
!hex results 03
!hex prepare 16
!hex rows 04
# MariaDB reads memory where the NUL should be.
[mysql] !hex rows 04 70 65 6f 70 6c 65
!hex rows 04 00
!hex one 17
!hex one 17 01 00
!hex one 17 01 00 00 00
!hex one 17 ff ff ff 7f 00 01 00 00 00
# MariaDB's answer holds what stood behind the packet: see tests/commands.rs.
[mysql] !hex one 1a
[mysql] !hex one 1a 01
!hex one 1a ff ff ff 7f
[mysql] !hex one 1c
!hex one 1c 01 00 00 00
!hex one 1c ff ff ff 7f 01 00 00 00
!hex none 19 ff ff ff 7f
[mariadb] !hex none 19
[mysql] !hex one 19
[mysql] !hex one 18 01 00 00 00
!hex none 18 ff ff ff 7f 00 00 61
!ping
!ping

== prepared
!prepare a SELECT 1
!execute a
!execute a cursor
!fetch a 1
!fetch a 1
!close a
!execute a
!prepare b SELECT ?, ?
!execute b | int:5 | str:text
!again b | int:6 | str:again
!execute b | null | null
!execute b | str:x | null
!execute b | ulong:18446744073709551615 | long:-1
!execute b | utiny:255 | tiny:-128
!execute b | short:-32768 | ushort:65535
!execute b | double:1.5 | float:-0.25
!execute b | decimal:123.456 | blob:\x00\xff
!execute b | date:e8070206 | datetime:e807020c0a0b0c
!execute b | datetime:e807020c0a0b0c40420f00 | timestamp:e8070101
!execute b | time:00000000000a0b0c | time:0101000000170b0c40420f00
!execute b | datetime: | time:
!execute b | date: | date:e8070d21
!execute b | year:2024 | int24:70000
!execute b | varchar:v | char:c
!execute b | bit:\x01 | json:{"a":1}
!execute b | geometry:xx | str:
!execute b | str:日本 | str:${long*5000}
!execute b | nulltiny | nullstr
!stmt_reset b
!execute b | int:1 | int:2
!prepare lb SELECT ?, ?
!long lb 0 first
!long lb 0  second
!execute lb | long_str | int:3
!long lb 1 data
!stmt_reset lb
[gap=parameter-types@mysql] !execute lb | str:a | str:fresh
[gap=parameter-types@mysql] !execute b | int:1 | int:2
!close b
!close b
!execute b | int:1 | int:2
!prepare c SELEKT
!execute c
!prepare d SELECT * FROM nowhere
!prepare e SELECT id, name FROM people WHERE id > ? ORDER BY id
!execute e cursor | int:2
!fetch e 2
!fetch e 100
!fetch e 1
!execute e cursor | int:100
!fetch e 1
!execute e cursor | int:0
!fetch e 1
!stmt_reset e
!fetch e 1
!execute e cursor | int:0
!fetch e 0
!fetch e 3
!ping
SELECT 1
!fetch e 3
!close e
!prepare f INSERT INTO keyless SELECT ?, ? WHERE 0
!execute f | int:1 | str:x
!execute f cursor | int:1 | str:x
!prepare g CALL gives(?, ?, ?)
!execute g | int:1 | int:2 | null
!prepare h CALL two_results(?)
!execute h | int:2
!prepare i SELECT 1; SELECT 2
!prepare j
!prepare k /* nothing */
!prepare l USE app2
!execute l
SELECT DATABASE()
!init_db app
!prepare m BEGIN
!execute m
!ping
!prepare n COMMIT
!execute n
!prepare o SET @x = ?
!execute o | int:5
SELECT @x
!prepare p SELECT ? + ?, CONCAT(?, ?), ? LIKE ?, DATE_ADD(?, INTERVAL ? DAY)
!execute p | int:1 | double:2.5 | str:a | int:7 | str:abc | str:a% | date:e8070206 | int:3
!prepare q SELECT * FROM people LIMIT ?, ?
!execute q | int:1 | int:2
!execute q | int:-1 | str:x
!prepare r SELECT * FROM people WHERE id IN (?, ?, ?) ORDER BY id
!execute r | int:1 | null | int:3
!prepare s EXPLAIN SELECT * FROM people WHERE id = ?
!execute s | int:1
!prepare t SHOW TABLES LIKE ?
!prepare u SELECT * FROM strings WHERE id = ?
!execute u | int:4
!execute u cursor | int:4
!fetch u 10
!prepare v LOCK TABLES people READ
!prepare w SELECT LAST_INSERT_ID(?), @y := ?
!execute w | int:4 | str:z
SELECT LAST_INSERT_ID(), @y
!prepare x DO ?
!execute x | int:1
!reset
!execute x | int:1
!prepare y KILL ?
!prepare z SELECT ?
!execute z | uint:4294967295
!execute z | int:-1
!execute z | long:-9223372036854775808

== malformed executes
!prepare a SELECT ?, ?
!execute a
!close a
!prepare b SELECT ?, ?
!execute b | int:5
!close b
!prepare c SELECT ?, ?
# MariaDB 10.11.14 ends with a signal at this one.
[mysql] !again c | int:5 | int:6
!close c
!prepare d SELECT ?, ?
!long d 7 nothing there
!execute d | int:1 | int:2
!ping
!prepare e SELECT ?
!execute e | int:1 | int:2
!ping

== prepared and definitions
CREATE TABLE t (a INT, b VARCHAR(10))
INSERT INTO t VALUES (1, 'one')
!prepare a SELECT * FROM t
!execute a
ALTER TABLE t ADD COLUMN c INT DEFAULT 5
!execute a
ALTER TABLE t DROP COLUMN b
!execute a
DROP TABLE t
!execute a
CREATE TABLE t (z INT)
!execute a
!prepare b INSERT INTO t VALUES (?)
!execute b | int:1
!execute b | str:text
!again b | str:2
!execute b | null
SELECT * FROM t
!prepare c UPDATE t SET z = z + ? WHERE z = ?
!execute c | int:1 | int:1
!prepare d SELECT z FROM t FOR UPDATE
BEGIN
!execute d
COMMIT
!prepare e TRUNCATE TABLE t
!execute e
!prepare f CREATE TABLE tt (a INT)
[gap=unasked-session-state@mysql] !execute f
!execute f
!prepare g DROP TABLE tt
!execute g
!prepare h SELECT DATABASE()
!execute h
!init_db app2
!execute h
!execute a
!init_db app
!execute a
!prepare i SELECT @@sql_mode, 'a' || 'b'
SET sql_mode = 'PIPES_AS_CONCAT'
!execute i
!prepare j SELECT 'a' || 'b'
!execute j
SET sql_mode = DEFAULT
!execute j
SET NAMES latin1
!execute h
!prepare k SELECT 'ä', CHARSET('a')
!execute k
SET NAMES utf8mb4
!execute k

== prepared without a schema [schema=]
!prepare a SELECT DATABASE(), ?
!execute a | int:1
USE app
[gap=prepared-without-schema] !execute a | int:1
!prepare b SELECT DATABASE(), ?
!execute b | int:1
!init_db app2
!execute b | int:1
[gap=prepared-without-schema] !execute a | int:1

== change user
!change_user other app
SELECT USER(), DATABASE()
SET @a = 1
!change_user app
SELECT USER(), DATABASE(), @a
SELECT * FROM people
!change_user app app2
SELECT DATABASE()
!prepare a SELECT 1
!change_user app app
!execute a
SELECT COUNT(*) FROM people

== no schema [schema=]
SELECT DATABASE()
SELECT * FROM people
SELECT * FROM app.people WHERE id = 1
SHOW TABLES
CREATE TABLE t (a INT)
USE app
SELECT DATABASE()
!field_list people
!reset
SELECT DATABASE()

== without rights [user=plain]
SELECT COUNT(*) FROM people
INSERT INTO keyless VALUES (1, 'x')
CREATE TABLE t (a INT)
DROP TABLE people
SELECT * FROM app2.other
USE app2
USE mysql
SHOW TABLES
SHOW DATABASES
SHOW GRANTS
CALL one_result()
SELECT twice(1)
LOCK TABLES people READ
CREATE TEMPORARY TABLE x (a INT)
SET GLOBAL max_connections = 5
SHOW MASTER STATUS
SHOW ENGINE INNODB STATUS
FLUSH TABLES
KILL 999999
SHUTDOWN
SHOW CREATE TABLE people
!init_db app2
!ping

== several statements stay as they were chosen [text]
!set_option 1
SELECT 1; SELECT 2
!reset
SELECT 1; SELECT 2
!change_user app app
SELECT 1; SELECT 2
!set_option 0
SELECT 1; SELECT 2
!reset
SELECT 1; SELECT 2
!change_user app app
SELECT 1; SELECT 2
