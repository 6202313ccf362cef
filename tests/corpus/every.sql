# What every form must show, also in the short run: whatever a form changes, these entries say it.

== what every form must show [every]
CREATE TABLE f (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(200), n INT)
INSERT INTO f (v, n) VALUES ('one', 1), ('two', 2), ('three', 3)
SELECT LAST_INSERT_ID()
# FOUND_ROWS: rows found, not rows changed.
UPDATE f SET n = 1 WHERE id = 1
UPDATE f SET n = n + 10 WHERE id < 3
SELECT ROW_COUNT()
INSERT INTO f (id, v) VALUES (1, 'again') ON DUPLICATE KEY UPDATE v = 'one'
# Warnings, in an OK, behind rows, and asked for.
INSERT IGNORE INTO f (id, v) VALUES (1, 'again')
SHOW WARNINGS
SELECT '12x' + 1, 1 / 0
SHOW WARNINGS
DROP TABLE IF EXISTS never_made
SELECT * FROM nowhere
!ping
SELEKT
!ping
# Character sets and collations, as texts and as definitions.
SET NAMES latin1
SELECT v, 'abc', CHARSET('abc'), COLLATION('abc') FROM f ORDER BY id
SELECT tx, v FROM strings WHERE id = 4
SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci
SELECT CHARSET('abc'), COLLATION('abc'), v FROM f ORDER BY id
SELECT COLLATION('abc') FROM people WHERE id = 1
SET character_set_results = NULL
SELECT l, u, bi FROM strings ORDER BY id
SET NAMES utf8mb4
# Status flags.
BEGIN
!ping
SELECT COUNT(*) FROM f
INSERT INTO f (v) VALUES ('in a transaction')
SELECT id, v FROM f ORDER BY id
ROLLBACK
!ping
SET autocommit = 0
SELECT id FROM f ORDER BY id
COMMIT
SET autocommit = 1
SELECT * FROM people WHERE name LIKE '%a%' ORDER BY id
# Session state: the schema, variables.
USE app2
SELECT DATABASE()
!init_db app
SET time_zone = '+03:00', sql_mode = 'ANSI_QUOTES'
SELECT @@time_zone, @@sql_mode, "v" FROM f ORDER BY id
SET time_zone = DEFAULT, sql_mode = DEFAULT
SET @x = 'text'
# Several results, no rows, no columns, many rows, long ones: more than a compressed packet holds, and than zlib's window.
[text] SELECT 1; SELECT id FROM f ORDER BY id; SELECT * FROM nowhere
CALL gives(1, @b, @c)
SELECT @b, @c
SELECT * FROM people WHERE id < 0
SELECT a.n, b.n FROM series a JOIN series b ON b.n < 8 ORDER BY 1, 2
SELECT id, lt, lb FROM strings ORDER BY id
SELECT REPEAT('long ', 60000), REPEAT(MD5(1), 5000)
SELECT '${abcdefghij*13000}', 1
INSERT INTO f (v) VALUES ('${abcdefghij*13000}')
# Prepared, with every kind of parameter, and with cursors.
!prepare p SELECT ?, v FROM f WHERE n > ? ORDER BY id
!execute p | str:text | int:0
!again p | str:more | int:1
!execute p | null | int:2
!stmt_reset p
!prepare c SELECT n FROM series ORDER BY n
!execute c cursor
!fetch c 7
!fetch c 500
!stmt_reset c
!close c
!close p
!execute p | str:text | int:0
!prepare long SELECT LENGTH(?), MD5(?)
!long long 0 ${piece*30000}
!execute long | long_blob | str:x
!close long
# A file of the client's.
!file 901\x09from a file\x091\n902\x09from a file\x092\n
[text] LOAD DATA LOCAL INFILE 'anything' INTO TABLE f
SELECT COUNT(*) FROM f
# Behind other results its packets' sequence ids are others.
!set_option 0
!file 903\x09more\x093\n
[text] SELECT 1; SELECT 2, 3; LOAD DATA LOCAL INFILE 'x' INTO TABLE f; SELECT 4
SELECT COUNT(*) FROM f
!reset
SELECT @@autocommit, @@sql_mode, @x
!field_list f
DROP TABLE f

== bulk executions [mariadb every]
CREATE TABLE bulk (a INT PRIMARY KEY AUTO_INCREMENT, b VARCHAR(20))
!prepare i INSERT INTO bulk VALUES (?, ?)
!bulk i 128 | int:1; str:one | int:2; null
!bulk i 0 | int:3; str:three
!bulk i 0 | int:4; str:four | int:1; str:one
# Unit results, which not every server knows.
!bulk i 192 | int:5; str:five | null; str:six
!bulk i 64 | null; str:seven | int:1; str:one
SELECT * FROM bulk ORDER BY a
!prepare u UPDATE bulk SET b = ? WHERE a >= ?
!bulk u 192 | str:new; int:5 | str:newer; int:100
!bulk u 128 | str:newest; int:5
!prepare d DELETE FROM bulk WHERE a = ?
!bulk d 192 | int:4 | int:400
!prepare r INSERT INTO bulk (b) VALUES (?) RETURNING a
!bulk r 192 | str:returned | str:too
!bulk r 128 | str:returned
!prepare s SELECT b FROM bulk WHERE a = ?
!bulk s 128 | int:1
!bulk nothing 128 | int:1
# The statement that was prepared last, and not after a PREPARE that failed.
!prepare last INSERT INTO bulk VALUES (?, ?)
!hex results 17 ff ff ff ff 00 01 00 00 00 00 01 03 00 fd 00 3c 00 00 00 04 6e 69 6e 65
!prepare failed INSERT INTO nowhere VALUES (?, ?)
!hex results 17 ff ff ff ff 00 01 00 00 00 00 01 03 00 fd 00 3d 00 00 00 04 6e 69 6e 65
!prepare reads SELECT b FROM bulk WHERE a = ?
!hex results 17 ff ff ff ff 00 01 00 00 00 00 01 03 00 3c 00 00 00
!close reads
!hex results 17 ff ff ff ff 00 01 00 00 00 00 01 03 00 3c 00 00 00
DROP TABLE bulk
