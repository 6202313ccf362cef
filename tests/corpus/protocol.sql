# What passes between a client and a server in one sitting: a bit of everything, every type, commands in turn, state that is
# told, files of the client's.

== a bit of everything
DROP TABLE IF EXISTS every_type, other
CREATE TABLE every_type (id INT PRIMARY KEY AUTO_INCREMENT, t TINYINT, tu TINYINT UNSIGNED ZEROFILL, s SMALLINT, m MEDIUMINT, b BIGINT UNSIGNED, f FLOAT, d DOUBLE, n DECIMAL(30,10), bt BIT(17), da DATE, ti TIME(3), dt DATETIME(6), ts TIMESTAMP NULL, y YEAR, c CHAR(9), v VARCHAR(200) CHARACTER SET latin1, bi BINARY(5), vb VARBINARY(90), tb TINYBLOB, bl BLOB, lt LONGTEXT, e ENUM('a','b'), st SET('x','y','z'), j JSON, p POINT)
INSERT INTO every_type VALUES (1, -128, 7, -32768, 8388607, 18446744073709551615, 1.5, -2.25e300, -12345678901234567890.0123456789, b'10101010101010101', '2024-02-29', '-838:59:58.999', '9999-12-31 23:59:59.999999', '2001-02-03 04:05:06', 2155, 'char', 'Grüße', 'bi', x'00ff', 'tiny', REPEAT('blob', 300), REPEAT('long ', 20000), 'b', 'x,z', '{"a": [1, 2, {"b": null}]}', POINT(1, 2))
INSERT INTO every_type (id) VALUES (2)
INSERT INTO every_type (t, c) VALUES (3, 'a'), (4, 'b'), (5, '')
SELECT * FROM every_type ORDER BY id
SELECT id, t FROM every_type WHERE 0
SELECT NULL, 1, -1, 1.10, 1e100, 'text', x'4142', NULL AS 'an alias'
SELECT '' AS empty, REPEAT('x', 250), REPEAT('y', 251), REPEAT('z', 65536)
SELECT DATE '2024-01-01', TIME '10:00:00.5', TIMESTAMP '2024-01-01 00:00:00.000001'
SELECT COUNT(*), SUM(t), AVG(t), MIN(dt), MAX(lt) FROM every_type
SELECT JSON_OBJECT('a', 1), JSON_ARRAY(1, 'x', NULL)
SELECT CAST('abc' AS SIGNED)
SHOW WARNINGS
SELECT 1/0, CAST('12x' AS DECIMAL(5,2))
SHOW COUNT(*) WARNINGS
UPDATE every_type SET t = 1 WHERE id IN (2, 3)
UPDATE every_type SET t = 1 WHERE id IN (2, 3)
UPDATE every_type SET s = 5 WHERE id = 999
INSERT INTO every_type (id) VALUES (1)
INSERT IGNORE INTO every_type (id) VALUES (1)
REPLACE INTO every_type (id, t) VALUES (2, 9)
INSERT INTO every_type (id, t) VALUES (2, 9) ON DUPLICATE KEY UPDATE t = t + 1
INSERT INTO every_type (id, t) VALUES (500, 9)
SELECT LAST_INSERT_ID()
INSERT INTO every_type (t) VALUES (9)
SELECT LAST_INSERT_ID(), ROW_COUNT()
DELETE FROM every_type WHERE id >= 500
SELECT ROW_COUNT()
SELECT SQL_CALC_FOUND_ROWS id FROM every_type ORDER BY id LIMIT 2
SELECT FOUND_ROWS()
SELECT nothing FROM every_type
SELECT * FROM nowhere
SELEKT 1
SELECT * FROM nowhere.every_type
CREATE TABLE other SELECT id, t FROM every_type
ALTER TABLE other ADD COLUMN x VARCHAR(10) DEFAULT 'é'
SHOW COLUMNS FROM other
SHOW CREATE TABLE other
DESCRIBE every_type
EXPLAIN SELECT * FROM other WHERE id = 1
BEGIN
INSERT INTO other (id) VALUES (77)
SELECT id FROM other WHERE id = 77 FOR UPDATE
SAVEPOINT s
ROLLBACK TO s
SELECT * FROM nowhere
ROLLBACK
START TRANSACTION READ ONLY
SELECT COUNT(*) FROM other
INSERT INTO other (id) VALUES (1)
COMMIT
SET autocommit = 0
SELECT 1
COMMIT
SET autocommit = 1
SET NAMES latin1
SELECT v, c, 'ä' FROM every_type WHERE id = 1
SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci
SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES', time_zone = '+02:00'
SELECT "id", 'a\n', ts FROM every_type WHERE "id" = 1
SET SESSION sql_mode = DEFAULT, time_zone = DEFAULT
SET @a = 5
SELECT @a, @a + 1, @unset
USE app
DO 1
SELECT 1 UNION SELECT 2 UNION SELECT 'x'
SELECT 1 INTO @b
CREATE TEMPORARY TABLE temporary (a INT)
INSERT INTO temporary VALUES (1), (2)
SELECT * FROM temporary
DROP TEMPORARY TABLE temporary
LOCK TABLES other READ
SELECT COUNT(*) FROM other
[gap=unasked-session-state@mysql] UNLOCK TABLES
ANALYZE TABLE other
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'mine', MYSQL_ERRNO = 3333
KILL 4000000
[mariadb] SELECT @@in_transaction
[mariadb] SELECT seq FROM seq_1_to_2000
[mariadb] INSERT INTO other (id) VALUES (8) RETURNING id, t, 'r'
[mariadb] BEGIN NOT ATOMIC SELECT 1; SELECT 2; END
[mariadb] ANALYZE SELECT 1
[mysql] WITH RECURSIVE seq (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM seq WHERE n < 900) SELECT n FROM seq
[mysql] TABLE other
[mysql] VALUES ROW(1, 'a'), ROW(2, NULL)
[mysql] SELECT STRING_TO_VECTOR('[1,2,3]')
[mysql] EXPLAIN FORMAT=TREE SELECT 1
[mysql] SELECT /*+ SET_VAR(sort_buffer_size=65536) */ 1
DROP TABLE other
\e

== commands in turn
CREATE TABLE counted (n BIGINT PRIMARY KEY)
INSERT INTO counted VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)
CREATE TABLE c (a INT PRIMARY KEY, b VARCHAR(50) DEFAULT 'x', lb LONGBLOB)
!ping
!init_db app
!init_db nowhere
[gap=warnings-behind-error@mysql] !ping
!field_list c %
!field_list c b
!field_list nowhere
!field_list c nothing
!field_list c _b
!set_option 0
[text] SELECT 1; INSERT INTO c (a) VALUES (1), (2); SELECT a, b FROM c; DO 0
[text] SELECT 1; SELECT * FROM nowhere; SELECT 2
!set_option 1
[text] SELECT 1; SELECT 2
!set_option 7
!set_option 0
CREATE PROCEDURE p(IN n INT, OUT o INT) BEGIN SELECT n; SELECT a FROM c; SET o = 5; END
CALL p(3, @o)
SELECT @o
CREATE PROCEDURE cursored() BEGIN DECLARE v INT; DECLARE k CURSOR FOR SELECT 1; OPEN k; FETCH k INTO v; SELECT v;
 SELECT 2, 3; CLOSE k; END
CALL cursored()
!prepare call CALL p(?, ?)
!execute call | str:4 | str:0
!hex one
!debug
# A cursor, fetched in pieces, reset, and opened again.
!prepare rows SELECT n FROM counted WHERE n > ? ORDER BY n
!execute rows cursor | str:2
!fetch rows 3
!fetch rows 3
!fetch rows 3
!ping
!execute rows cursor | str:8
!stmt_reset rows
!fetch rows 3
# MySQL 9.7 sends no rows then, and an end that is none.
[mariadb] !execute rows | str:9
# Long data, in pieces, and again without.
!prepare insert INSERT INTO c (a, lb) VALUES (?, ?)
!long insert 1 one 
!long insert 1 two 
!long insert 1 three
!execute insert | str:100 | long_blob
SELECT lb FROM c WHERE a = 100
!execute insert | str:101 | nullstr
!again insert | str:102 | str:again
SELECT a, lb FROM c WHERE a >= 100 ORDER BY a
# Statements outlive errors and transactions, not a reset.
BEGIN
!execute insert | str:103 | nullstr
!execute insert | str:103 | nullstr
!ping
!reset
SELECT COUNT(*), @o FROM c WHERE a = 103
!execute insert | str:104 | nullstr
SELECT DATABASE()

== files of the client's [text]
CREATE TABLE loaded (text VARCHAR(200) NOT NULL)
!file ${a line of the client's that is as long as lines are on the whole\n*20000}
LOAD DATA LOCAL INFILE 'some file' INTO TABLE loaded (text)
SELECT COUNT(*), MIN(text) FROM loaded
!file
LOAD DATA LOCAL INFILE 'refused' INTO TABLE loaded (text)
!file ${y*500}\n
LOAD DATA LOCAL INFILE 'too long' INTO TABLE loaded (text)
SHOW WARNINGS
SET SESSION sql_mode = ''
LOAD DATA LOCAL INFILE 'too long' INTO TABLE loaded (text)
SHOW WARNINGS
SELECT COUNT(*) FROM loaded

== state that is told 0 [text]
SET NAMES latin1
SET autocommit = 0
SET autocommit = 1
SET SESSION sql_mode = 'ANSI'
SET SESSION time_zone = '+01:00', sql_mode = 'ANSI'
USE app
SET @u = 1
CREATE TEMPORARY TABLE tracked (a INT)
DROP TEMPORARY TABLE tracked
BEGIN
COMMIT
SELECT 1

== state that is told 1 [text]
SET SESSION session_track_state_change = 1
SET NAMES latin1
SET autocommit = 0
SET autocommit = 1
SET SESSION sql_mode = 'ANSI'
SET SESSION time_zone = '+01:00', sql_mode = 'ANSI'
USE app
SET @u = 1
CREATE TEMPORARY TABLE tracked (a INT)
DROP TEMPORARY TABLE tracked
BEGIN
COMMIT
SELECT 1

== state that is told 2 [text]
SET SESSION session_track_system_variables = 'sql_mode,time_zone'
SET NAMES latin1
SET autocommit = 0
SET autocommit = 1
SET SESSION sql_mode = 'ANSI'
SET SESSION time_zone = '+01:00', sql_mode = 'ANSI'
USE app
SET @u = 1
CREATE TEMPORARY TABLE tracked (a INT)
DROP TEMPORARY TABLE tracked
BEGIN
COMMIT
SELECT 1

== state that is told 3 [text]
SET SESSION session_track_system_variables = '*'
SET NAMES latin1
SET autocommit = 0
SET autocommit = 1
SET SESSION sql_mode = 'ANSI'
SET SESSION time_zone = '+01:00', sql_mode = 'ANSI'
USE app
SET @u = 1
CREATE TEMPORARY TABLE tracked (a INT)
DROP TEMPORARY TABLE tracked
BEGIN
COMMIT
SELECT 1

== state that is told 4 [text]
SET SESSION session_track_schema = 0, session_track_system_variables = ''
SET NAMES latin1
SET autocommit = 0
SET autocommit = 1
SET SESSION sql_mode = 'ANSI'
SET SESSION time_zone = '+01:00', sql_mode = 'ANSI'
USE app
SET @u = 1
CREATE TEMPORARY TABLE tracked (a INT)
DROP TEMPORARY TABLE tracked
BEGIN
COMMIT
SELECT 1

== state that is told 5 [text]
SET SESSION session_track_transaction_info = 'CHARACTERISTICS'
SET NAMES latin1
SET autocommit = 0
SET autocommit = 1
SET SESSION sql_mode = 'ANSI'
SET SESSION time_zone = '+01:00', sql_mode = 'ANSI'
USE app
SET @u = 1
CREATE TEMPORARY TABLE tracked (a INT)
DROP TEMPORARY TABLE tracked
BEGIN
COMMIT
SELECT 1
