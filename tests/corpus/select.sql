# Queries: clauses, joins, subqueries, common table expressions, windows, set operations, hints, comments.

== clauses
SELECT * FROM people
SELECT ALL name FROM people ORDER BY name
SELECT DISTINCT city FROM people ORDER BY city
SELECT DISTINCTROW city FROM people ORDER BY city
SELECT SQL_NO_CACHE name FROM people WHERE id = 1
SELECT SQL_CACHE name FROM people WHERE id = 1
SELECT HIGH_PRIORITY STRAIGHT_JOIN SQL_SMALL_RESULT SQL_BUFFER_RESULT name FROM people WHERE id = 2
SELECT SQL_BIG_RESULT city, COUNT(*) FROM people GROUP BY city ORDER BY 1
SELECT people.*, 1 AS one FROM people LIMIT 2
SELECT app.people.name FROM app.people LIMIT 1
SELECT p.name n, p.`city` AS 'town', p.id AS "number" FROM people AS p LIMIT 3
SELECT name FROM people LIMIT 0
SELECT name FROM people ORDER BY id LIMIT 2, 3
SELECT name FROM people ORDER BY id LIMIT 3 OFFSET 100
SELECT name FROM people ORDER BY id LIMIT 18446744073709551615
SELECT name FROM people ORDER BY id LIMIT -1
SELECT name FROM people ORDER BY id FETCH FIRST 2 ROWS ONLY
SELECT name FROM people ORDER BY id OFFSET 1 ROW FETCH NEXT 2 ROWS WITH TIES
SELECT name FROM people ORDER BY salary DESC, name ASC
SELECT name FROM people ORDER BY RAND(3)
SELECT name FROM people ORDER BY 7
SELECT name FROM people ORDER BY nothing
SELECT name FROM people WHERE id IN (1, 2, 3) AND NOT city = 'Paris' OR salary IS NULL ORDER BY id
SELECT name FROM people WHERE (id, city) IN ((1, 'London'), (2, 'Rome'))
SELECT city, COUNT(*) AS n, SUM(salary) FROM people GROUP BY city HAVING n > 1 ORDER BY n DESC, city
SELECT city, boss, COUNT(*) FROM people GROUP BY city, boss WITH ROLLUP
SELECT city, GROUPING(city), COUNT(*) FROM people GROUP BY city WITH ROLLUP
SELECT city, name FROM people GROUP BY city
SELECT COUNT(*), COUNT(city), COUNT(DISTINCT city), MIN(name), MAX(born), AVG(salary), STD(salary), VARIANCE(salary), BIT_OR(id), BIT_AND(id), BIT_XOR(id) FROM people
SELECT STDDEV_POP(salary), STDDEV_SAMP(salary), VAR_POP(salary), VAR_SAMP(salary), ANY_VALUE(name) FROM people WHERE id = 1
SELECT GROUP_CONCAT(DISTINCT city ORDER BY city DESC SEPARATOR '; ') FROM people
SELECT GROUP_CONCAT(name ORDER BY id LIMIT 2) FROM people
SELECT COUNT(*) FROM empty_table
SELECT SUM(a), MAX(b) FROM empty_table
SELECT a FROM empty_table GROUP BY a
SELECT * FROM keyless ORDER BY a, b
SELECT * FROM people PROCEDURE ANALYSE()
SELECT name FROM people USE INDEX (by_city) WHERE city = 'Rome' ORDER BY id
SELECT name FROM people FORCE INDEX (PRIMARY) IGNORE INDEX FOR ORDER BY (by_city) WHERE city = 'Rome' ORDER BY id
SELECT name FROM people USE INDEX (nowhere)
SELECT /*+ NO_INDEX_MERGE(people) MAX_EXECUTION_TIME(1000) */ name FROM people WHERE id = 1
SELECT /*+ SET_VAR(sort_buffer_size = 16M) */ 1
SELECT /*+ NONSENSE(x) */ 1
SHOW WARNINGS
SELECT 1 FROM DUAL
SELECT 1 FROM DUAL WHERE 0
SELECT 1 WHERE 1
SELECT *
SELECT * FROM
SELECT 1,
SELECT 1 AS a HAVING a = 1
SELECT 1 AS a HAVING a = 2
SELECT 1 LIMIT 0
SELECT NULL
SELECT '' AS ``
SELECT 1 AS `a``b`, 2 AS 'it''s', 3 AS `日本`, 4 AS ` `
SELECT TRUE, FALSE, 1.0, 1e0, 'x', N'x', X'41', 0x41, b'1', NULL, -1, 18446744073709551615, 18446744073709551616
SELECT 'a' 'b', "c", 'd''e', 'f\'g', 'h\ni', '\%', '\_', '\\', '\0'
SELECT REPEAT('x', 250), REPEAT('y', 251), REPEAT('z', 252), REPEAT('w', 253)
SELECT REPEAT('x', 65535)
SELECT REPEAT('x', 65536), REPEAT('y', 300)
SELECT REPEAT('x', 100000000)
SHOW WARNINGS
SELECT ${1,*500}1
SELECT ${1+*2000}1
SELECT '${a*70000}' AS `long`
SELECT 1 AS ${a*64}
SELECT 1 AS ${a*65}
SELECT 1 AS ${a*257}
SELECT (((((((((((((((((1)))))))))))))))))
SELECT ${(*300}1${)*300}
SELECT LENGTH('${日*5000}')
SELECT 1 IN (${1,*3000}1)
SELECT id FROM series WHERE n IN (${7,*1000}7)
SELECT n FROM series ORDER BY n
SELECT n, REPEAT('r', n) FROM series ORDER BY n
SELECT a.n FROM series a, series b WHERE b.n < 9 ORDER BY a.n, b.n
SELECT n FROM series WHERE n > 300
SELECT MAX(n) FROM series WHERE n BETWEEN 50 AND 60

== joins
SELECT p.name, o.item FROM people p JOIN orders o ON o.person = p.id ORDER BY o.id
SELECT p.name, o.item FROM people p INNER JOIN orders o ON o.person = p.id AND o.amount > 1 ORDER BY o.id
SELECT p.name, o.item FROM people p LEFT JOIN orders o ON o.person = p.id ORDER BY p.id, o.id
SELECT p.name, o.item FROM people p LEFT OUTER JOIN orders o ON o.person = p.id WHERE o.id IS NULL ORDER BY p.id
SELECT p.name, o.item FROM people p RIGHT JOIN orders o ON o.person = p.id ORDER BY o.id
SELECT p.name, o.item FROM people p CROSS JOIN orders o WHERE p.id = 1 AND o.id < 3 ORDER BY o.id
SELECT p.name, b.name FROM people p STRAIGHT_JOIN people b ON b.id = p.boss ORDER BY p.id
SELECT * FROM people NATURAL JOIN orders ORDER BY 1
SELECT * FROM people NATURAL LEFT JOIN docs ORDER BY 1
SELECT id FROM people JOIN orders USING (id) ORDER BY id
SELECT * FROM people p JOIN orders o USING (id) ORDER BY id LIMIT 2
SELECT p.name FROM people p, orders o, people b WHERE o.person = p.id AND p.boss = b.id ORDER BY o.id
SELECT p.name, x.item FROM people p LEFT JOIN (orders x JOIN people y ON x.person = y.id) ON p.id = y.id ORDER BY p.id, x.id
SELECT p.name, t.total FROM people p JOIN totals t ON t.person = p.id ORDER BY p.id
SELECT name FROM people p FULL OUTER JOIN orders o ON o.person = p.id
SELECT id FROM people, orders
SELECT p.id FROM people p JOIN orders p ON 1
SELECT a.v, b.v FROM app2.other a JOIN app.parts b ON a.id = b.id ORDER BY a.id
SELECT p.name, l.item FROM people p, LATERAL (SELECT item FROM orders o WHERE o.person = p.id ORDER BY o.id LIMIT 1) l ORDER BY p.id
SELECT STRAIGHT_JOIN * FROM (people p, orders o) JOIN keyless k ON k.a = p.id WHERE o.id = 1 ORDER BY p.id, k.a
SELECT COUNT(*) FROM people a, people b, people c

== subqueries
SELECT name FROM people WHERE id = (SELECT MAX(person) FROM orders WHERE person < 50)
SELECT name FROM people WHERE id IN (SELECT person FROM orders) ORDER BY id
SELECT name FROM people WHERE id NOT IN (SELECT person FROM orders) ORDER BY id
SELECT name FROM people p WHERE EXISTS (SELECT * FROM orders o WHERE o.person = p.id AND o.price > 5) ORDER BY id
SELECT name FROM people p WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.person = p.id) ORDER BY id
SELECT name FROM people WHERE salary > ALL (SELECT salary FROM people WHERE city = 'Rome') ORDER BY id
SELECT name FROM people WHERE salary >= ANY (SELECT salary FROM people WHERE city = 'Paris') ORDER BY id
SELECT name FROM people WHERE salary = SOME (SELECT salary FROM people WHERE city = 'Rome') ORDER BY id
SELECT name, (SELECT COUNT(*) FROM orders o WHERE o.person = p.id) AS n FROM people p ORDER BY id
SELECT (SELECT id FROM people)
SELECT (SELECT id, name FROM people LIMIT 1)
SELECT (SELECT id FROM people WHERE 0)
SELECT * FROM (SELECT city, COUNT(*) AS n FROM people GROUP BY city) t WHERE n > 1 ORDER BY city
SELECT * FROM (SELECT 1)
SELECT * FROM (SELECT 1 AS a, 2 AS a) t
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) v
SELECT * FROM (VALUES ROW(1, 'a'), ROW(2, 'b')) v
SELECT * FROM (SELECT * FROM (SELECT * FROM people ORDER BY id LIMIT 3) a) b ORDER BY id
SELECT ROW(1, 2) = (SELECT 1, 2)
SELECT name FROM people WHERE (boss, city) = (SELECT boss, city FROM people WHERE id = 4)
SELECT name FROM people ORDER BY (SELECT COUNT(*) FROM orders o WHERE o.person = people.id) DESC, id
SELECT name FROM people WHERE id = (SELECT nothing FROM orders)
SELECT name FROM people WHERE id IN (SELECT id FROM people ORDER BY id LIMIT 1)

== common table expressions
WITH c AS (SELECT 1 AS a) SELECT * FROM c
WITH c (x, y) AS (SELECT 1, 2), d AS (SELECT x + 1 AS z FROM c) SELECT * FROM c, d
WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 20) SELECT i FROM n
WITH RECURSIVE tree AS (SELECT id, name, 0 AS depth FROM people WHERE boss IS NULL UNION ALL SELECT p.id, p.name, t.depth + 1 FROM people p JOIN tree t ON p.boss = t.id) SELECT * FROM tree ORDER BY id
WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n LIMIT 1
WITH c AS (SELECT * FROM people) SELECT COUNT(*) FROM c UNION SELECT 0
WITH c AS (SELECT 1), c AS (SELECT 2) SELECT * FROM c
WITH c (a, b) AS (SELECT 1) SELECT * FROM c
WITH people AS (SELECT 'mine' AS name) SELECT name FROM people
SELECT * FROM (WITH c AS (SELECT 5 AS five) SELECT * FROM c) t
WITH c AS (SELECT city FROM people WHERE city IS NOT NULL) SELECT a.city FROM c a JOIN c b USING (city) GROUP BY a.city ORDER BY 1
WITH RECURSIVE f (a, b) AS (SELECT 0, 1 UNION ALL SELECT b, a + b FROM f WHERE b < 100) SELECT a FROM f
WITH c AS (SELECT 1) SELECT * FROM nowhere
WITH RECURSIVE c AS (SELECT 1 AS a UNION SELECT a % 5 + 1 FROM c) SELECT a FROM c ORDER BY a
WITH RECURSIVE c AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM c WHERE a < 5) CYCLE a RESTRICT SELECT a FROM c

== windows
SELECT id, ROW_NUMBER() OVER (ORDER BY id) FROM people ORDER BY id
SELECT id, RANK() OVER (ORDER BY salary), DENSE_RANK() OVER (ORDER BY salary), PERCENT_RANK() OVER (ORDER BY salary), CUME_DIST() OVER (ORDER BY salary) FROM people ORDER BY id
SELECT id, NTILE(3) OVER (ORDER BY id), LAG(name) OVER (ORDER BY id), LEAD(name, 2) OVER (ORDER BY id), LEAD(name, 1, 'none') OVER (ORDER BY id) FROM people ORDER BY id
SELECT id, FIRST_VALUE(name) OVER w, LAST_VALUE(name) OVER w, NTH_VALUE(name, 2) OVER w FROM people WINDOW w AS (PARTITION BY city ORDER BY id) ORDER BY id
SELECT id, SUM(salary) OVER (PARTITION BY city ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM people ORDER BY id
SELECT id, AVG(salary) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM people ORDER BY id
SELECT id, COUNT(*) OVER (ORDER BY salary RANGE BETWEEN 100 PRECEDING AND 100 FOLLOWING) FROM people ORDER BY id
SELECT id, SUM(id) OVER () FROM people ORDER BY id
SELECT city, SUM(COUNT(*)) OVER (ORDER BY city) FROM people GROUP BY city ORDER BY city
SELECT id, MEDIAN(salary) OVER (PARTITION BY city) FROM people ORDER BY id
SELECT id, PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY salary) OVER (PARTITION BY city) FROM people ORDER BY id
SELECT id, ROW_NUMBER() OVER w FROM people
SELECT id FROM people WHERE ROW_NUMBER() OVER (ORDER BY id) = 1
SELECT LAG(1)
SELECT id, NTILE(0) OVER (ORDER BY id) FROM people
SELECT id, JSON_ARRAYAGG(id) OVER (ORDER BY id) FROM people ORDER BY id
SELECT id, SUM(id) OVER (w ROWS 1 PRECEDING) FROM people WINDOW w AS (ORDER BY id)

== set operations
SELECT 1 UNION SELECT 2
SELECT 1 UNION ALL SELECT 1 UNION DISTINCT SELECT 1
(SELECT 1) UNION (SELECT 2) ORDER BY 1 DESC LIMIT 1
SELECT id FROM people INTERSECT SELECT person FROM orders ORDER BY 1
SELECT id FROM people EXCEPT SELECT person FROM orders ORDER BY 1
SELECT id FROM people EXCEPT ALL SELECT person FROM orders ORDER BY 1
SELECT id FROM people INTERSECT ALL SELECT person FROM orders ORDER BY 1
SELECT id FROM people MINUS SELECT person FROM orders
(SELECT id FROM people ORDER BY id LIMIT 1) UNION ALL (SELECT id FROM people ORDER BY id DESC LIMIT 1)
((SELECT 1 UNION SELECT 2) INTERSECT SELECT 2)
SELECT 1, 2 UNION SELECT 1
SELECT 1 AS a UNION SELECT 'x' UNION SELECT NULL UNION SELECT 1.5 ORDER BY a
SELECT NULL UNION SELECT DATE '2024-01-01'
SELECT 'a' UNION SELECT x'ff'
TABLE keyless
TABLE people ORDER BY id LIMIT 2
TABLE nowhere
VALUES ROW(1, 2), ROW(3, 4)
VALUES ROW(1, 'a') ORDER BY column_0
VALUES (1, 2), (3, 4)
VALUES ROW(1), ROW(1, 2)
SELECT * FROM people WHERE id = 1 UNION TABLE people LIMIT 3

== comments
/* before */ SELECT 1
SELECT 1 /* behind */
SELECT /* in */ 1
SELECT 1 -- behind
SELECT 1 # behind
\e-- before
 SELECT 1
\e# before
 SELECT 1
/* a */ /* b */ SELECT /* c */ 1 /* d */ + /* e */ 1 /* f */
SELECT/**/1
SELECT 1--1
SELECT 1 --1
SELECT 1--
 1
/*! SELECT 1 */
/*!40101 SELECT 1 */
/*!99999 SELECT 1 */
/*M! SELECT 1 */
/*M!100100 SELECT 1 */
SELECT 1 /*! + 1 */
SELECT 1 /*!50000 + 1 */
SELECT 1 /*!100000 + 1 */
SELECT 1 /*M! + 1 */
SELECT 1 /*!80000 + 1 */
SELECT 1 /* not /* nested */ + 1
SELECT 1 /* unclosed
SELECT '/* no comment */', '-- nor this', "# nor this"
SELECT /*+ hint */ 1
/**/SELECT 1
/*/ SELECT 1 /*/
SELECT 1 /*! /* inner */ + 1 */
/* pointsman: primary */ SELECT 1
SELECT 1 /* pointsman: replica */
/* pointsman: nonsense */ SELECT id FROM people WHERE id = 1

== nothing
\e
\e 
;
;;
/* only a comment */
\e-- only
\e# only
/*! */
/*!99999 nothing */
\e /* a */ ; /* b */
SELECT 1;
SELECT 1 ;
SELECT 1; -- behind
SELECT 1; /* behind */
SELECT 1;;
[bytes] SELECT 1\x00
[bytes] \x00
[bytes] SELECT\x001
[bytes] SELECT '\x00', 'a\x00b'
[bytes] SELECT 1\x1a
[bytes] \xef\xbb\xbfSELECT 1
[bytes] SELECT\x0b1
[bytes] SELECT\x0c1
[bytes] SELECT\xc2\xa01
[bytes] SELECT '\xff\xfe'
SHOW WARNINGS
[bytes] SELECT '\xe2\x82'
[bytes] SELECT _binary '\xff\xfe\x00'
[bytes] SELECT \xff

== views and partitions
SELECT * FROM rich ORDER BY id
SELECT * FROM totals ORDER BY person
SELECT * FROM parts ORDER BY id
SELECT * FROM parts PARTITION (p1) ORDER BY id
SELECT * FROM parts PARTITION (p0, p2) ORDER BY id
SELECT * FROM parts PARTITION (nowhere)
SELECT * FROM people PARTITION (p0)
SELECT * FROM computed ORDER BY a
SELECT * FROM articles WHERE MATCH (title, body) AGAINST ('database')
SELECT id, MATCH (title, body) AGAINST ('proxy' IN NATURAL LANGUAGE MODE) > 0 AS found FROM articles ORDER BY id
SELECT id FROM articles WHERE MATCH (title, body) AGAINST ('+salt -water' IN BOOLEAN MODE)
SELECT id FROM articles WHERE MATCH (title, body) AGAINST ('"salt and"' IN BOOLEAN MODE)
SELECT id FROM articles WHERE MATCH (title, body) AGAINST ('rows' WITH QUERY EXPANSION) ORDER BY id
SELECT id FROM articles WHERE MATCH (title) AGAINST ('x')
[mariadb] SELECT * FROM odd ORDER BY id
[mariadb] SELECT * FROM versions ORDER BY id
[mariadb] SELECT * FROM versions FOR SYSTEM_TIME ALL ORDER BY id
[mariadb] SELECT * FROM versions FOR SYSTEM_TIME AS OF TIMESTAMP '2037-01-01 00:00:00' ORDER BY id
[mariadb] SELECT COUNT(*) FROM versions FOR SYSTEM_TIME BETWEEN '1980-01-01' AND NOW()
[mariadb] SELECT COUNT(*) FROM versions FOR SYSTEM_TIME FROM '1980-01-01' TO '1990-01-01'
[mariadb] SELECT seq FROM seq_1_to_15_step_3
[mariadb] SELECT seq FROM seq_5_to_1
[mariadb] SELECT COUNT(*) FROM seq_1_to_100000

== locking reads
SELECT * FROM people WHERE id = 1 FOR UPDATE
SELECT * FROM people WHERE id = 1 LOCK IN SHARE MODE
SELECT * FROM people WHERE id = 1 FOR SHARE
SELECT * FROM people WHERE id = 1 FOR UPDATE NOWAIT
SELECT * FROM people WHERE id = 1 FOR UPDATE SKIP LOCKED
SELECT * FROM people p WHERE id = 1 FOR UPDATE OF p
SELECT * FROM people WHERE id = 1 FOR UPDATE WAIT 1
SELECT * FROM (SELECT * FROM people WHERE id = 2 FOR UPDATE) t
SELECT id FROM people WHERE id = 1 UNION SELECT id FROM people WHERE id = 2 FOR UPDATE
SELECT id FROM people WHERE id = 1 INTO @v
SELECT @v
SELECT id, name FROM people WHERE id = 2 INTO @v, @w
SELECT @v, @w
SELECT id INTO @v FROM people
SELECT id INTO @v FROM people WHERE 0
SHOW WARNINGS
SELECT 1 INTO OUTFILE '/nowhere/file'
SELECT 1 INTO DUMPFILE '/nowhere/file'
