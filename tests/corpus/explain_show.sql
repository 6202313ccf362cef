# EXPLAIN, ANALYZE, DESCRIBE, SHOW, HELP, table maintenance, and what describes the schema.

== explain
[columns=rows,filtered] EXPLAIN SELECT * FROM people WHERE id = 1
[columns=rows,filtered] EXPLAIN EXTENDED SELECT * FROM people WHERE id = 1
[columns=rows,filtered] EXPLAIN PARTITIONS SELECT * FROM parts WHERE y = 2000
[columns=rows,filtered] EXPLAIN SELECT name FROM people WHERE city = 'Rome' ORDER BY name
SHOW WARNINGS
[columns=rows,filtered] EXPLAIN SELECT p.name FROM people p JOIN orders o ON o.person = p.id
EXPLAIN FORMAT=JSON SELECT name FROM people WHERE id = 1
EXPLAIN FORMAT=TREE SELECT name FROM people WHERE id = 1
[columns=rows,filtered] EXPLAIN FORMAT=TRADITIONAL SELECT name FROM people WHERE id = 1
EXPLAIN FORMAT=NONSENSE SELECT 1
[columns=rows,filtered] EXPLAIN SELECT 1
[columns=rows,filtered] EXPLAIN SELECT * FROM nowhere
[columns=rows,filtered] EXPLAIN UPDATE people SET name = 'x' WHERE id = 1
[columns=rows,filtered] EXPLAIN DELETE FROM people WHERE id = 1
[columns=rows,filtered] EXPLAIN INSERT INTO keyless VALUES (1, 'x')
[columns=rows,filtered] EXPLAIN REPLACE INTO keyless VALUES (1, 'x')
[columns=rows,filtered] EXPLAIN SELECT 1 UNION SELECT 2
[columns=rows,filtered] EXPLAIN TABLE people
[columns=rows,filtered] EXPLAIN FOR CONNECTION 999999
EXPLAIN people
EXPLAIN people name
DESCRIBE people
DESC people 'c%'
DESCRIBE nowhere
DESCRIBE app2.other
DESCRIBE people nothing
[timing text] ANALYZE SELECT name FROM people WHERE id = 1
[timing text] ANALYZE FORMAT=JSON SELECT name FROM people WHERE id = 1
[timing text] EXPLAIN ANALYZE SELECT name FROM people WHERE id = 1
[timing text] EXPLAIN ANALYZE FORMAT=JSON SELECT name FROM people WHERE id = 1
[timing text] EXPLAIN ANALYZE SELECT COUNT(*) FROM people p JOIN orders o ON o.person = p.id
[timing text] ANALYZE UPDATE keyless SET b = 'one' WHERE a = 1

== tables
SHOW TABLES
SHOW FULL TABLES
SHOW TABLES LIKE 'p%'
SHOW TABLES FROM app2
SHOW TABLES WHERE Tables_in_app = 'people'
SHOW TABLES FROM nowhere
SHOW OPEN TABLES LIKE 'no such'
[columns=Rows,Auto_increment,Create_time,Update_time,Check_time,Data_free,Avg_row_length,Data_length,Index_length] SHOW TABLE STATUS LIKE 'people'
[columns=Rows,Auto_increment,Create_time,Update_time,Check_time,Data_free,Avg_row_length,Data_length,Index_length] SHOW TABLE STATUS LIKE 'no such'
SHOW COLUMNS FROM people
SHOW FULL COLUMNS FROM people
SHOW FIELDS FROM orders WHERE Field = 'id'
SHOW EXTENDED COLUMNS FROM people
[columns=Cardinality] SHOW INDEX FROM people
[columns=Cardinality] SHOW INDEXES FROM app.orders
[columns=Cardinality] SHOW KEYS FROM articles
[columns=Cardinality] SHOW INDEX FROM nowhere
SHOW CREATE TABLE people
SHOW CREATE TABLE parts
SHOW CREATE TABLE computed
SHOW CREATE TABLE strings
SHOW CREATE TABLE numbers
SHOW CREATE TABLE dates
SHOW CREATE TABLE places
SHOW CREATE TABLE articles
SHOW CREATE TABLE nowhere
SHOW CREATE VIEW rich
SHOW CREATE VIEW people
SHOW CREATE TABLE totals
SHOW CREATE DATABASE app
SHOW CREATE SCHEMA IF NOT EXISTS app2
SHOW CREATE DATABASE nowhere
SHOW CREATE PROCEDURE gives
SHOW CREATE FUNCTION twice
SHOW CREATE FUNCTION nowhere
SHOW CREATE TRIGGER nowhere
SHOW CREATE EVENT nowhere
SHOW CREATE USER CURRENT_USER()
SHOW DATABASES
SHOW SCHEMAS LIKE 'app%'
SHOW PROCEDURE CODE gives
[plan columns=Modified,Created] SHOW PROCEDURE STATUS LIKE 'gives'
[plan columns=Modified,Created] SHOW FUNCTION STATUS WHERE Db = 'app'
SHOW TRIGGERS
SHOW TRIGGERS LIKE 'x%'
[dictionary] SHOW EVENTS
SHOW CHARACTER SET LIKE 'utf8%'
SHOW CHARSET
SHOW COLLATION LIKE 'latin1%'
SHOW COLLATION WHERE Charset = 'utf8mb4' AND Collation LIKE '%bin'
[mariadb] SHOW CREATE SEQUENCE counter
[mariadb] SHOW CREATE TABLE versions
[mariadb] SHOW CREATE TABLE odd

== the server
SHOW ENGINES
SHOW STORAGE ENGINES
SHOW PRIVILEGES
SHOW GRANTS
SHOW GRANTS FOR CURRENT_USER()
SHOW GRANTS FOR 'nobody'@'%'
SHOW VARIABLES LIKE 'autocommit'
SHOW SESSION VARIABLES LIKE 'sql_mode'
SHOW GLOBAL VARIABLES LIKE 'max_connections'
SHOW VARIABLES WHERE Variable_name IN ('time_zone', 'wait_timeout')
SHOW VARIABLES LIKE 'no such'
SHOW STATUS LIKE 'no such'
[columns=Value] SHOW STATUS LIKE 'Threads_running'
[columns=Value] SHOW GLOBAL STATUS LIKE 'Uptime'
[columns=Value] SHOW SESSION STATUS LIKE 'Com_select'
SHOW ENGINE INNODB STATUS
SHOW ENGINE NOWHERE STATUS
SHOW MASTER STATUS
SHOW BINARY LOG STATUS
SHOW BINARY LOGS
SHOW SLAVE STATUS
SHOW REPLICA STATUS
SHOW SLAVE HOSTS
SHOW REPLICAS
SHOW BINLOG EVENTS
SHOW PLUGINS SONAME 'nowhere'
SHOW PROFILES
SHOW PROFILE
SHOW ERRORS
SHOW WARNINGS
SHOW COUNT(*) WARNINGS
SHOW COUNT(*) ERRORS
SHOW WARNINGS LIMIT 1
SHOW NONSENSE
SHOW
SHOW TABLES nonsense
SHOW AUTHORS
SHOW CONTRIBUTORS
SHOW INDEX_STATISTICS
SHOW USER_STATISTICS
SHOW PACKAGE STATUS
SHOW LOCALES
SHOW EXPLAIN FOR 999999

== help
HELP 'SELECT'
HELP 'contents'
HELP 'no such thing'
HELP 'ABS'
HELP '%'
HELP

== maintenance
CREATE TABLE kept (a INT PRIMARY KEY, b VARCHAR(10))
INSERT INTO kept VALUES (1, 'x'), (2, 'y')
CHECK TABLE kept
CHECK TABLE kept, people EXTENDED
CHECK TABLE nowhere
CHECK VIEW rich
CHECKSUM TABLE kept
CHECKSUM TABLE kept, people, nowhere
CHECKSUM TABLE kept QUICK
ANALYZE TABLE kept
ANALYZE NO_WRITE_TO_BINLOG TABLE kept
ANALYZE TABLE nowhere
ANALYZE LOCAL TABLE people PERSISTENT FOR ALL
ANALYZE TABLE kept UPDATE HISTOGRAM ON b WITH 4 BUCKETS
OPTIMIZE TABLE kept
OPTIMIZE TABLE nowhere
REPAIR TABLE kept
REPAIR TABLE nowhere
FLUSH TABLES
FLUSH TABLE kept
FLUSH STATUS
CACHE INDEX kept IN nowhere
LOAD INDEX INTO CACHE kept
ALTER TABLE parts CHECK PARTITION p0
ALTER TABLE parts ANALYZE PARTITION ALL

== schema tables
[plan] SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'app' ORDER BY table_name
[plan] SELECT column_name, data_type, is_nullable, column_default, column_type, character_set_name FROM information_schema.columns WHERE table_schema = 'app' AND table_name = 'strings' ORDER BY ordinal_position
[plan] SELECT * FROM information_schema.columns WHERE table_schema = 'app' AND table_name = 'numbers' ORDER BY ordinal_position
[plan] SELECT index_name, column_name, seq_in_index FROM information_schema.statistics WHERE table_schema = 'app' AND table_name = 'orders' ORDER BY 1, 3
[plan] SELECT constraint_name, constraint_type FROM information_schema.table_constraints WHERE table_schema = 'app' ORDER BY table_name, constraint_name
[plan] SELECT * FROM information_schema.key_column_usage WHERE table_schema = 'app' AND table_name = 'people' ORDER BY constraint_name
[plan] SELECT constraint_name, update_rule FROM information_schema.referential_constraints WHERE constraint_schema = 'app'
[plan] SELECT table_name, view_definition, is_updatable FROM information_schema.views WHERE table_schema = 'app' ORDER BY 1
[plan] SELECT routine_name, routine_type FROM information_schema.routines WHERE routine_schema = 'app' ORDER BY 1
[plan] SELECT parameter_name, dtd_identifier FROM information_schema.parameters WHERE specific_name = 'gives' ORDER BY ordinal_position
[plan] SELECT partition_name, partition_description FROM information_schema.partitions WHERE table_schema = 'app' AND table_name = 'parts' ORDER BY 1
[plan] SELECT character_set_name, default_collate_name FROM information_schema.character_sets ORDER BY 1
[plan] SELECT COUNT(*) > 10 FROM information_schema.collations
[plan] SELECT schema_name, default_character_set_name FROM information_schema.schemata ORDER BY 1
[plan] SELECT engine, support FROM information_schema.engines ORDER BY 1
[plan] SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = 'app'
[plan] SELECT event_name FROM information_schema.events WHERE event_schema = 'app'
[plan] SELECT grantee, privilege_type FROM information_schema.user_privileges ORDER BY 1, 2
[plan] SELECT table_schema, privilege_type FROM information_schema.schema_privileges ORDER BY 1, 2
[plan] SELECT * FROM information_schema.nowhere
[plan] SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'nobody'
[plan] SELECT variable_value FROM information_schema.global_variables WHERE variable_name = 'MAX_CONNECTIONS'
[plan] SELECT variable_value FROM performance_schema.global_variables WHERE variable_name = 'max_connections'
[plan] SELECT COUNT(*) FROM performance_schema.threads WHERE name = 'nobody'
[plan] SELECT * FROM performance_schema.setup_timers
[plan] SELECT * FROM sys.version
[plan] SELECT * FROM sys.sys_config ORDER BY 1
[plan] SELECT user FROM mysql.user
[plan] SELECT COUNT(*) FROM mysql.help_topic
[plan] SELECT * FROM mysql.nowhere
USE information_schema
[plan] SELECT COUNT(*) FROM tables WHERE table_schema = 'app'
SHOW TABLES LIKE 'SCHEMATA'
USE mysql
USE app

== variables of the server
SELECT @@version IS NOT NULL, @@version_comment IS NOT NULL
SELECT @@autocommit, @@sql_mode, @@character_set_client, @@collation_connection
SELECT @@global.max_connections, @@session.wait_timeout
SELECT @@local.sql_mode, @@SESSION.SQL_MODE
SELECT @@nothing
SELECT @@global.nothing
SELECT @@global.autocommit, @@session.max_connections
SELECT @@tx_isolation
SELECT @@transaction_isolation
SELECT @@transaction_read_only
SELECT @@max_allowed_packet, @@net_buffer_length, @@lower_case_table_names, @@license IS NULL
[server text] SELECT @@port
[server] SELECT @@datadir, @@socket, @@pid_file
SELECT @@server_id
SELECT @@hostname IS NOT NULL
[gap=kept-warnings@mariadb] SELECT @@last_insert_id, @@identity, @@warning_count, @@error_count
SELECT @@in_transaction
[columns=t] SELECT @@timestamp AS t
SELECT @@character_set_database, @@collation_database, @@character_set_server
SELECT VERSION() = @@version
SELECT USER(), CURRENT_USER(), DATABASE()
[connection_id] SELECT CONNECTION_ID()
[connection_id] SELECT CONNECTION_ID() AS id
[connection_id] SELECT CONNECTION_ID(), 1
[connection_id] SELECT @@pseudo_thread_id
