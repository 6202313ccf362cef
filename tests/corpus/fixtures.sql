# What both twins hold before anything runs. Sections may read these tables; those that write make their own.

== fixtures
DROP DATABASE IF EXISTS app
DROP DATABASE IF EXISTS app2
CREATE DATABASE app DEFAULT CHARACTER SET utf8mb4
CREATE DATABASE app2 DEFAULT CHARACTER SET latin1
USE app
CREATE TABLE numbers (id INT PRIMARY KEY AUTO_INCREMENT, t TINYINT, tu TINYINT UNSIGNED, s SMALLINT, su SMALLINT UNSIGNED,
  m MEDIUMINT, mu MEDIUMINT UNSIGNED, i INT, iu INT UNSIGNED, b BIGINT, bu BIGINT UNSIGNED, f FLOAT, d DOUBLE,
  n DECIMAL(30,10), nz DECIMAL(65,0), bt BIT(17), bo BOOLEAN, zf INT(7) UNSIGNED ZEROFILL)
INSERT INTO numbers VALUES (1, -128, 0, -32768, 0, -8388608, 0, -2147483648, 0, -9223372036854775808, 0, -3.402e38, -1.7e308,
  -99999999999999999999.9999999999, -99999999999999999999999999999999999999999999999999999999999999999, b'0', 0, 0)
INSERT INTO numbers VALUES (2, 127, 255, 32767, 65535, 8388607, 16777215, 2147483647, 4294967295, 9223372036854775807,
  18446744073709551615, 3.402e38, 1.7e308, 99999999999999999999.9999999999,
  99999999999999999999999999999999999999999999999999999999999999999, b'11111111111111111', 1, 4294967295)
INSERT INTO numbers VALUES (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
INSERT INTO numbers VALUES (4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b'0', 0, 0)
INSERT INTO numbers VALUES (5, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1.5, 1.25, 1.1, 1, b'101', 1, 42)
INSERT INTO numbers VALUES (6, -1, 2, -3, 4, -5, 6, -7, 8, -9, 10, -0.1, 1e-300, -0.0000000001, -1, b'1', 0, 7)
CREATE TABLE strings (id INT PRIMARY KEY, c CHAR(10), v VARCHAR(100), l VARCHAR(50) CHARACTER SET latin1,
  u VARCHAR(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, bi BINARY(6), vb VARBINARY(60), tt TINYTEXT, tx TEXT, mt MEDIUMTEXT,
  lt LONGTEXT, tb TINYBLOB, bl BLOB, mb MEDIUMBLOB, lb LONGBLOB, e ENUM('red','green','blue'), st SET('x','y','z'), j JSON)
INSERT INTO strings VALUES (1, '', '', '', '', '', '', '', '', '', '', '', '', '', '', 'red', '', '{}')
INSERT INTO strings VALUES (2, 'char', 'Varchar', 'Gruesse', 'Bin', 'bi', x'00ff10', 'tiny', 'text', 'medium', 'long', 'tb', 'bl', 'mb',
  'lb', 'green', 'x,z', '{"a": [1, 2, {"b": null}], "c": "text"}')
INSERT INTO strings VALUES (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
INSERT INTO strings VALUES (4, 'äöü', 'Grüße 日本語 😀', 'éàü', '😀😀', x'fffefd', REPEAT('b', 60), REPEAT('t', 255), REPEAT('x', 5000),
  REPEAT('m', 70000), REPEAT('long ', 20000), REPEAT('t', 255), REPEAT('b', 300), REPEAT('m', 66000), REPEAT('l', 100000), 'blue',
  'x,y,z', '[true, false, 1.5, "é"]')
INSERT INTO strings VALUES (5, 'a  ', 'trailing  ', 'quote''s', 'back\\slash', 'a', 'a', 'new
  line', 'tab	', '%_', '"double"', '\0', '\0\0', ';', '-- no comment', 'red', 'y', '"scalar"')
CREATE TABLE dates (id INT PRIMARY KEY, da DATE, ti TIME, ti3 TIME(3), ti6 TIME(6), dt DATETIME, dt3 DATETIME(3), dt6 DATETIME(6),
  ts TIMESTAMP NULL, ts6 TIMESTAMP(6) NULL, y YEAR)
INSERT INTO dates VALUES (1, '1000-01-01', '-838:59:59', '-838:59:58.999', '-838:59:58.999999', '1000-01-01 00:00:00', '1000-01-01 00:00:00',
  '1000-01-01 00:00:00', '1970-01-02 00:00:01', '1970-01-02 00:00:01.000001', 1901)
INSERT INTO dates VALUES (2, '9999-12-31', '838:59:59', '838:59:58.999', '838:59:58.999999', '9999-12-31 23:59:59', '9999-12-31 23:59:59.999',
  '9999-12-31 23:59:59.999999', '2038-01-18 03:14:07', '2038-01-18 03:14:07.999999', 2155)
INSERT INTO dates VALUES (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
INSERT INTO dates VALUES (4, '2024-02-29', '00:00:00', '00:00:00.001', '00:00:00.000001', '2024-02-29 12:34:56', '2024-02-29 12:34:56.5',
  '2024-02-29 12:34:56.000001', '2024-02-29 12:34:56', '2024-02-29 12:34:56.5', 2024)
INSERT INTO dates VALUES (5, '2001-02-03', '-00:00:01', '25:00:00', '10:11:12.131415', '2001-02-03 00:00:00', '2001-02-03 04:00:00',
  '2001-02-03 04:05:00', '2001-02-03 04:05:06', '2001-02-03 00:00:00', 0)
CREATE TABLE people (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(40) NOT NULL, city VARCHAR(40), boss INT, salary DECIMAL(10,2),
  born DATE, KEY by_city (city), KEY by_boss (boss), CONSTRAINT boss_of FOREIGN KEY (boss) REFERENCES people (id))
INSERT INTO people (id, name, city, boss, salary, born) VALUES (1, 'Ada', 'London', NULL, 9000.00, '1815-12-10'), (2, 'Bob', 'Paris', 1, 4000.50, '1970-01-01'),
  (3, 'Cyd', 'Paris', 1, 4100.00, '1980-05-05'), (4, 'Dan', 'Rome', 2, 3000.00, '1990-09-09'), (5, 'Eve', NULL, 2, NULL, '1991-10-10'),
  (6, 'Fay', 'London', 3, 2500.25, '2000-02-29'), (7, 'Gus', 'Rome', 3, 2500.25, NULL), (8, 'Hal', 'Berlin', 4, 1000.00, '2001-01-01')
CREATE TABLE orders (id INT PRIMARY KEY AUTO_INCREMENT, person INT NOT NULL, item VARCHAR(20), amount INT, price DECIMAL(8,2), placed DATETIME, KEY by_person (person, placed))
INSERT INTO orders (id, person, item, amount, price, placed) VALUES (1, 1, 'pen', 3, 1.50, '2024-01-01 10:00:00'), (2, 1, 'ink', 1, 7.25, '2024-01-02 11:00:00'),
  (3, 2, 'pen', 10, 1.40, '2024-01-03 12:00:00'), (4, 3, 'paper', 500, 0.01, '2024-01-03 13:30:00'), (5, 3, 'pen', 2, 1.50, '2024-02-01 00:00:00'),
  (6, 4, NULL, NULL, NULL, NULL), (7, 6, 'ink', 2, 7.25, '2024-02-29 23:59:59'), (8, 8, 'desk', 1, 199.99, '2024-03-01 08:00:00'),
  (9, 8, 'pen', 1, 1.50, '2024-03-02 08:00:00'), (10, 99, 'ghost', 0, 0, '2024-03-03 08:00:00')
CREATE TABLE empty_table (a INT, b VARCHAR(10))
CREATE TABLE keyless (a INT, b VARCHAR(10))
INSERT INTO keyless VALUES (1, 'one'), (1, 'one'), (2, 'two'), (NULL, NULL)
CREATE TABLE series (n INT PRIMARY KEY)
INSERT INTO series WITH RECURSIVE s AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM s WHERE n < 300) SELECT n FROM s
CREATE TABLE docs (id INT PRIMARY KEY, doc JSON)
INSERT INTO docs VALUES (1, '{"name": "x", "tags": ["a", "b"], "n": 1}'), (2, '{"name": "y", "tags": [], "n": 2.5}'), (3, '[1, [2, 3], {"k": "v"}]'), (4, 'null'), (5, NULL)
CREATE TABLE places (id INT PRIMARY KEY, p POINT NOT NULL, g GEOMETRY)
INSERT INTO places VALUES (1, ST_GeomFromText('POINT(1 2)'), ST_GeomFromText('POLYGON((0 0, 4 0, 4 4, 0 4, 0 0))')), (2, ST_GeomFromText('POINT(-3.5 8)'), ST_GeomFromText('LINESTRING(0 0, 1 1, 2 0)')),
  (3, ST_GeomFromText('POINT(0 0)'), NULL)
CREATE TABLE articles (id INT PRIMARY KEY AUTO_INCREMENT, title VARCHAR(100), body TEXT, FULLTEXT KEY words (title, body))
INSERT INTO articles (title, body) VALUES ('Databases', 'A database keeps rows in tables'), ('Proxies', 'A proxy stands between client and database'), ('Cooking', 'Salt and pepper in water')
CREATE TABLE parts (id INT NOT NULL, y INT NOT NULL, v VARCHAR(10), PRIMARY KEY (id, y)) PARTITION BY RANGE (y) (PARTITION p0 VALUES LESS THAN (2000), PARTITION p1 VALUES LESS THAN (2010), PARTITION p2 VALUES LESS THAN MAXVALUE)
INSERT INTO parts VALUES (1, 1999, 'a'), (2, 2000, 'b'), (3, 2009, 'c'), (4, 2010, 'd'), (5, 2024, 'e')
CREATE TABLE computed (a INT PRIMARY KEY, b INT GENERATED ALWAYS AS (a * 2) VIRTUAL, c VARCHAR(20) GENERATED ALWAYS AS (CONCAT('n', a)) STORED)
INSERT INTO computed (a) VALUES (1), (2), (30)
CREATE VIEW rich AS SELECT id, name, salary FROM people WHERE salary > 3000
CREATE VIEW totals AS SELECT person, SUM(amount * price) AS total, COUNT(*) AS n FROM orders GROUP BY person
CREATE PROCEDURE one_result() SELECT id, name FROM people ORDER BY id LIMIT 2
CREATE PROCEDURE two_results(n INT) BEGIN SELECT n AS n; SELECT id FROM people WHERE id <= n; END
CREATE PROCEDURE gives(IN a INT, INOUT b INT, OUT c VARCHAR(20)) BEGIN SET b = b + a, c = CONCAT('out ', a); SELECT a, b, c; END
CREATE PROCEDURE nothing() BEGIN END
CREATE PROCEDURE fails() BEGIN SELECT 'before'; SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'as told', MYSQL_ERRNO = 3210; SELECT 'after'; END
CREATE PROCEDURE warns() BEGIN SELECT CAST('x' AS SIGNED); SIGNAL SQLSTATE '01000' SET MESSAGE_TEXT = 'a warning'; END
CREATE FUNCTION twice(n INT) RETURNS INT DETERMINISTIC NO SQL RETURN n * 2
CREATE FUNCTION headcount() RETURNS INT READS SQL DATA RETURN (SELECT COUNT(*) FROM people)
CREATE TABLE app2.other (id INT PRIMARY KEY, v VARCHAR(20))
INSERT INTO app2.other VALUES (1, 'é'), (2, 'two')
[mariadb] CREATE SEQUENCE counter START WITH 100 INCREMENT BY 10
[mariadb] CREATE TABLE versions (id INT PRIMARY KEY, v INT) WITH SYSTEM VERSIONING
[mariadb] INSERT INTO versions VALUES (1, 10), (2, 20)
[mariadb] CREATE TABLE odd (id INT PRIMARY KEY, u UUID, i6 INET6, i4 INET4)
[mariadb] INSERT INTO odd VALUES (1, '123e4567-e89b-12d3-a456-426655440000', '2001:db8::1', '10.0.0.1'), (2, NULL, NULL, NULL)
ANALYZE TABLE numbers, strings, dates, people, orders, empty_table, keyless, series, docs, places, articles, parts, computed, app2.other
