# What a session is: variables, transactions, locks, temporary tables, character sets, prepared statements as text.

== user variables
SET @a = 1
[gap=user-variable-types@mysql] SELECT @a
SET @a = 'text', @b = 1.5, @c = NULL, @d = x'00ff', @e = -7
[gap=user-variable-types@mysql] SELECT @a, @b, @c, @d, @e, @unset
SELECT @a := 5, @a
SELECT @a, @b := @a * 2
SET @`strange name` = 1, @'quoted' = 2, @"double" = 3
SELECT @`strange name`, @'quoted', @"double"
SET @x := 3
SET @a = @x + 1
SELECT @A, @a
SET @s = _latin1 x'e4'
SELECT @s, CHARSET(@s), COLLATION(@s)
SET @q = (SELECT COUNT(*) FROM people)
SELECT @q
SET @r = (SELECT id FROM people)
SET @ = 1
SET @a
SET @big = REPEAT('x', 100000)
SELECT LENGTH(@big)
SET @dt = TIMESTAMP '2024-01-01 00:00:00'
SELECT @dt
[gap=user-variable-types@mysql] SELECT id, @n := IFNULL(@n, 0) + 1 FROM people ORDER BY id LIMIT 3
[gap=user-variable-types@mysql] SELECT @n
SET @j = JSON_OBJECT('a', 1)
SELECT @j, CHARSET(@j)
SELECT @a, @b, @c, @d, @e
!reset
SELECT @a, @b, @c


== settings 1
SET autocommit = 0
SET autocommit = 1
SET autocommit = ON
SET autocommit = DEFAULT
SET autocommit = 5
SELECT @@autocommit
SELECT 1, 'x' FROM people LIMIT 1
SET sql_mode = ''
SET sql_mode = 'ANSI'
SET sql_mode = DEFAULT
SELECT @@sql_mode
SELECT 1, 'x' FROM people LIMIT 1
SET time_zone = '+01:00'
SET time_zone = 'SYSTEM'
SET time_zone = 'bad'
SET time_zone = DEFAULT
SELECT @@time_zone
SELECT 1, 'x' FROM people LIMIT 1
SET character_set_client = latin1
SET character_set_client = utf8mb4
SET character_set_client = utf16
SET character_set_client = nowhere
SET character_set_client = DEFAULT
SELECT @@character_set_client
SELECT 1, 'x' FROM people LIMIT 1
SET character_set_results = latin1
SET character_set_results = NULL
SET character_set_results = utf8mb4
SET character_set_results = utf16
SET character_set_results = DEFAULT
SELECT @@character_set_results
SELECT 1, 'x' FROM people LIMIT 1
SET character_set_connection = latin1
SET character_set_connection = utf8mb4
SET character_set_connection = DEFAULT
SELECT @@character_set_connection
SELECT 1, 'x' FROM people LIMIT 1

== settings 2
SET collation_connection = utf8mb4_bin
SET collation_connection = latin1_swedish_ci
SET collation_connection = nowhere
SET collation_connection = DEFAULT
SELECT @@collation_connection
SELECT 1, 'x' FROM people LIMIT 1
SET character_set_database = latin1
SET character_set_database = DEFAULT
SELECT @@character_set_database
SELECT 1, 'x' FROM people LIMIT 1
SET collation_server = utf8mb4_bin
SET collation_server = DEFAULT
SELECT @@collation_server
SELECT 1, 'x' FROM people LIMIT 1
SET wait_timeout = 100
SET wait_timeout = 0
SET wait_timeout = -1
SET wait_timeout = 'x'
SET wait_timeout = DEFAULT
SELECT @@wait_timeout
SELECT 1, 'x' FROM people LIMIT 1
SET interactive_timeout = 100
SET interactive_timeout = DEFAULT
SELECT @@interactive_timeout
SELECT 1, 'x' FROM people LIMIT 1
SET net_read_timeout = 50
SET net_read_timeout = DEFAULT
SELECT @@net_read_timeout
SELECT 1, 'x' FROM people LIMIT 1

== settings 3
SET net_write_timeout = 70
SET net_write_timeout = DEFAULT
SELECT @@net_write_timeout
SELECT 1, 'x' FROM people LIMIT 1
SET max_allowed_packet = 1024
SET max_allowed_packet = DEFAULT
SELECT @@max_allowed_packet
SELECT 1, 'x' FROM people LIMIT 1
SET group_concat_max_len = 10
SET group_concat_max_len = DEFAULT
SELECT @@group_concat_max_len
SELECT 1, 'x' FROM people LIMIT 1
SET div_precision_increment = 2
SET div_precision_increment = 99
SET div_precision_increment = DEFAULT
SELECT @@div_precision_increment
SELECT 1, 'x' FROM people LIMIT 1
SET sql_select_limit = 2
SET sql_select_limit = DEFAULT
SELECT @@sql_select_limit
SELECT 1, 'x' FROM people LIMIT 1
SET sql_safe_updates = 1
SET sql_safe_updates = 0
SELECT @@sql_safe_updates
SELECT 1, 'x' FROM people LIMIT 1

== settings 4
SET sql_auto_is_null = 1
SET sql_auto_is_null = 0
SELECT @@sql_auto_is_null
SELECT 1, 'x' FROM people LIMIT 1
SET sql_big_selects = 0
SET sql_big_selects = 1
SELECT @@sql_big_selects
SELECT 1, 'x' FROM people LIMIT 1
SET max_join_size = 100
SET max_join_size = DEFAULT
SELECT @@max_join_size
SELECT 1, 'x' FROM people LIMIT 1
SET sql_warnings = 1
SET sql_warnings = 0
SELECT @@sql_warnings
SELECT 1, 'x' FROM people LIMIT 1
SET sql_notes = 0
SET sql_notes = 1
SELECT @@sql_notes
SELECT 1, 'x' FROM people LIMIT 1
SET sql_log_bin = 0
SET sql_log_bin = 1
SELECT @@sql_log_bin
SELECT 1, 'x' FROM people LIMIT 1

== settings 5
SET sql_quote_show_create = 0
SET sql_quote_show_create = 1
SELECT @@sql_quote_show_create
SELECT 1, 'x' FROM people LIMIT 1
SET foreign_key_checks = 0
SET foreign_key_checks = 1
SELECT @@foreign_key_checks
SELECT 1, 'x' FROM people LIMIT 1
SET unique_checks = 0
SET unique_checks = 1
SELECT @@unique_checks
SELECT 1, 'x' FROM people LIMIT 1
SET big_tables = 1
SET big_tables = 0
SELECT @@big_tables
SELECT 1, 'x' FROM people LIMIT 1
SET sort_buffer_size = 100000
SET sort_buffer_size = 1
SET sort_buffer_size = DEFAULT
SELECT @@sort_buffer_size
SELECT 1, 'x' FROM people LIMIT 1
SET join_buffer_size = 200000
SET join_buffer_size = DEFAULT
SELECT @@join_buffer_size
SELECT 1, 'x' FROM people LIMIT 1

== settings 6
SET tmp_table_size = 2000000
SET tmp_table_size = DEFAULT
SELECT @@tmp_table_size
SELECT 1, 'x' FROM people LIMIT 1
SET max_heap_table_size = 2000000
SET max_heap_table_size = DEFAULT
SELECT @@max_heap_table_size
SELECT 1, 'x' FROM people LIMIT 1
SET read_buffer_size = 10000
SET read_buffer_size = DEFAULT
SELECT @@read_buffer_size
SELECT 1, 'x' FROM people LIMIT 1
SET lock_wait_timeout = 7
SET lock_wait_timeout = DEFAULT
SELECT @@lock_wait_timeout
SELECT 1, 'x' FROM people LIMIT 1
SET innodb_lock_wait_timeout = 7
SET innodb_lock_wait_timeout = DEFAULT
SELECT @@innodb_lock_wait_timeout
SELECT 1, 'x' FROM people LIMIT 1
SET long_query_time = 1.5
SET long_query_time = DEFAULT
SELECT @@long_query_time
SELECT 1, 'x' FROM people LIMIT 1

== settings 7
SET lc_time_names = 'de_DE'
SET lc_time_names = 'xx'
SET lc_time_names = DEFAULT
SELECT @@lc_time_names
SELECT 1, 'x' FROM people LIMIT 1
SET lc_messages = 'fr_FR'
SET lc_messages = 'xx'
SET lc_messages = DEFAULT
SELECT @@lc_messages
SELECT 1, 'x' FROM people LIMIT 1
SET default_storage_engine = MyISAM
SET default_storage_engine = nowhere
SET default_storage_engine = DEFAULT
SELECT @@default_storage_engine
SELECT 1, 'x' FROM people LIMIT 1
SET default_week_format = 3
SET default_week_format = DEFAULT
SELECT @@default_week_format
SELECT 1, 'x' FROM people LIMIT 1
SET optimizer_switch = 'index_merge=off'
SET optimizer_switch = 'nonsense=on'
SET optimizer_switch = DEFAULT
SELECT @@optimizer_switch
SELECT 1, 'x' FROM people LIMIT 1
SET optimizer_search_depth = 5
SET optimizer_search_depth = DEFAULT
SELECT @@optimizer_search_depth
SELECT 1, 'x' FROM people LIMIT 1

== settings 8
SET max_sort_length = 64
SET max_sort_length = DEFAULT
SELECT @@max_sort_length
SELECT 1, 'x' FROM people LIMIT 1
SET max_error_count = 5
SET max_error_count = DEFAULT
SELECT @@max_error_count
SELECT 1, 'x' FROM people LIMIT 1
SET max_sp_recursion_depth = 10
SET max_sp_recursion_depth = DEFAULT
SELECT @@max_sp_recursion_depth
SELECT 1, 'x' FROM people LIMIT 1
SET max_statement_time = 5
SET max_statement_time = DEFAULT
SELECT @@max_statement_time
SELECT 1, 'x' FROM people LIMIT 1
SET max_execution_time = 5000
SET max_execution_time = DEFAULT
SELECT @@max_execution_time
SELECT 1, 'x' FROM people LIMIT 1
SET transaction_isolation = 'READ-COMMITTED'
SET transaction_isolation = 'nonsense'
SET transaction_isolation = DEFAULT
SELECT @@transaction_isolation
SELECT 1, 'x' FROM people LIMIT 1

== settings 9
SET tx_isolation = 'READ-COMMITTED'
SET tx_isolation = DEFAULT
SELECT @@tx_isolation
SELECT 1, 'x' FROM people LIMIT 1
SET transaction_read_only = 1
SET transaction_read_only = 0
SELECT @@transaction_read_only
SELECT 1, 'x' FROM people LIMIT 1
SET tx_read_only = 1
SET tx_read_only = 0
SELECT @@tx_read_only
SELECT 1, 'x' FROM people LIMIT 1
SET completion_type = 'CHAIN'
SET completion_type = 0
SELECT @@completion_type
SELECT 1, 'x' FROM people LIMIT 1
SET profiling = 0
SELECT @@profiling
SELECT 1, 'x' FROM people LIMIT 1
SET low_priority_updates = 1
SET low_priority_updates = 0
SELECT @@low_priority_updates
SELECT 1, 'x' FROM people LIMIT 1

== settings 10
SET sql_buffer_result = 1
SET sql_buffer_result = 0
SELECT @@sql_buffer_result
SELECT 1, 'x' FROM people LIMIT 1
SET updatable_views_with_limit = 0
SET updatable_views_with_limit = DEFAULT
SELECT @@updatable_views_with_limit
SELECT 1, 'x' FROM people LIMIT 1
SET old_mode = ''
SET old_mode = DEFAULT
SELECT @@old_mode
SELECT 1, 'x' FROM people LIMIT 1
SET old_passwords = 0
SELECT @@old_passwords
SELECT 1, 'x' FROM people LIMIT 1
SET sql_if_exists = 1
SET sql_if_exists = 0
SELECT @@sql_if_exists
SELECT 1, 'x' FROM people LIMIT 1
SET insert_id = 77
SELECT @@insert_id
SELECT 1, 'x' FROM people LIMIT 1

== settings 11
SET last_insert_id = 55
SELECT @@last_insert_id
SELECT 1, 'x' FROM people LIMIT 1
SET identity = 56
SELECT @@identity
SELECT 1, 'x' FROM people LIMIT 1
SET timestamp = 1000000000
SET timestamp = DEFAULT
SELECT 1
SELECT 1, 'x' FROM people LIMIT 1
SET rand_seed1 = 5
SELECT 1
SELECT 1, 'x' FROM people LIMIT 1
SET rand_seed2 = 6
SELECT 1
SELECT 1, 'x' FROM people LIMIT 1
SET pseudo_thread_id = 9
SELECT 1
SELECT 1, 'x' FROM people LIMIT 1

== settings 12
SET gtid_next = 'AUTOMATIC'
SELECT @@gtid_next
SELECT 1, 'x' FROM people LIMIT 1
SET gtid_domain_id = 0
SELECT @@gtid_domain_id
SELECT 1, 'x' FROM people LIMIT 1
SET server_id = 1
SELECT @@server_id
SELECT 1, 'x' FROM people LIMIT 1
SET session_track_schema = 0
SET session_track_schema = 1
SELECT @@session_track_schema
SELECT 1, 'x' FROM people LIMIT 1
SET session_track_state_change = 1
SET session_track_state_change = 0
SELECT @@session_track_state_change
SELECT 1, 'x' FROM people LIMIT 1
SET session_track_gtids = 'OWN_GTID'
SET session_track_gtids = 'OFF'
SELECT @@session_track_gtids
SELECT 1, 'x' FROM people LIMIT 1

== settings 13
[gap=unasked-session-state@mysql] SET session_track_transaction_info = 'STATE'
SET session_track_transaction_info = 'CHARACTERISTICS'
SET session_track_transaction_info = 'OFF'
SELECT @@session_track_transaction_info
SELECT 1, 'x' FROM people LIMIT 1
SET windowing_use_high_precision = 0
SET windowing_use_high_precision = 1
SELECT @@windowing_use_high_precision
SELECT 1, 'x' FROM people LIMIT 1
SET explicit_defaults_for_timestamp = 0
SET explicit_defaults_for_timestamp = 1
SELECT @@explicit_defaults_for_timestamp
SELECT 1, 'x' FROM people LIMIT 1
SET show_create_table_verbosity = 1
SET show_create_table_verbosity = 0
SELECT @@show_create_table_verbosity
SELECT 1, 'x' FROM people LIMIT 1
SET cte_max_recursion_depth = 10
SET cte_max_recursion_depth = DEFAULT
SELECT @@cte_max_recursion_depth
SELECT 1, 'x' FROM people LIMIT 1
SET max_recursive_iterations = 10
SET max_recursive_iterations = DEFAULT
SELECT @@max_recursive_iterations
SELECT 1, 'x' FROM people LIMIT 1

== settings 14
SET sql_require_primary_key = 1
SET sql_require_primary_key = 0
SELECT @@sql_require_primary_key
SELECT 1, 'x' FROM people LIMIT 1
SET default_collation_for_utf8mb4 = utf8mb4_general_ci
SELECT @@default_collation_for_utf8mb4
SELECT 1, 'x' FROM people LIMIT 1
SET information_schema_stats_expiry = 0
SET information_schema_stats_expiry = DEFAULT
SELECT @@information_schema_stats_expiry
SELECT 1, 'x' FROM people LIMIT 1
SET select_into_disk_sync = 1
SET select_into_disk_sync = 0
SELECT @@select_into_disk_sync
SELECT 1, 'x' FROM people LIMIT 1
SET version = 'x'
SELECT @@version
SELECT 1, 'x' FROM people LIMIT 1
SET max_connections = 10
SELECT @@max_connections
SELECT 1, 'x' FROM people LIMIT 1

== settings 15
SET nothing = 1
SELECT @@nothing
SELECT 1, 'x' FROM people LIMIT 1
SET skip_parallel_replication = 1
SELECT @@skip_parallel_replication
SELECT 1, 'x' FROM people LIMIT 1
SET sql_log_off = 1
SELECT @@sql_log_off
SELECT 1, 'x' FROM people LIMIT 1
SET query_cache_type = 0
SELECT @@query_cache_type
SELECT 1, 'x' FROM people LIMIT 1
SET eq_range_index_dive_limit = 10
SET eq_range_index_dive_limit = DEFAULT
SELECT @@eq_range_index_dive_limit
SELECT 1, 'x' FROM people LIMIT 1
SET range_optimizer_max_mem_size = 0
SET range_optimizer_max_mem_size = DEFAULT
SELECT @@range_optimizer_max_mem_size
SELECT 1, 'x' FROM people LIMIT 1

== settings 16
SET print_identified_with_as_hex = 1
SET print_identified_with_as_hex = 0
SELECT @@print_identified_with_as_hex
SELECT 1, 'x' FROM people LIMIT 1
SET use_secondary_engine = OFF
SELECT @@use_secondary_engine
SELECT 1, 'x' FROM people LIMIT 1
SET resultset_metadata = FULL
SELECT @@resultset_metadata
SELECT 1, 'x' FROM people LIMIT 1
SET alter_algorithm = COPY
SET alter_algorithm = DEFAULT
SELECT @@alter_algorithm
SELECT 1, 'x' FROM people LIMIT 1
SET system_versioning_asof = '2037-01-01'
SET system_versioning_asof = DEFAULT
SELECT @@system_versioning_asof
SELECT 1, 'x' FROM people LIMIT 1
SET character_set_collations = 'utf8mb4=utf8mb4_bin'
SET character_set_collations = ''
SELECT @@character_set_collations
SELECT 1, 'x' FROM people LIMIT 1

== settings 17
SET note_verbosity = 'basic'
SET note_verbosity = DEFAULT
SELECT @@note_verbosity
SELECT 1, 'x' FROM people LIMIT 1

== character sets 1
SET NAMES latin1
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4
SET NAMES utf8mb4
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4
SET NAMES utf8mb3
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4
SET NAMES utf8
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4
SET NAMES ascii
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4

== character sets 2
SET NAMES binary
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4
SET NAMES cp1252
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4
SET NAMES cp1251
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4
SET NAMES latin2
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4
SET NAMES latin5
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4

== character sets 3
SET NAMES latin7
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4
SET NAMES koi8r
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4
SET NAMES greek
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4
SET NAMES hebrew
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4
SET NAMES gbk
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4

== character sets 4
SET NAMES gb2312
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4
SET NAMES gb18030
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4
SET NAMES sjis
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4
SET NAMES cp932
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4
SET NAMES eucjpms
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4

== character sets 5
SET NAMES ujis
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4
SET NAMES big5
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4
SET NAMES euckr
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4
SET NAMES tis620
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4
SET NAMES utf16
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4

== character sets 6
SET NAMES utf16le
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4
SET NAMES utf32
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4
SET NAMES ucs2
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4
SET NAMES macroman
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4
SET NAMES dec8
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4

== character sets 7
SET NAMES swe7
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4
SET NAMES hp8
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4
SET NAMES armscii8
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4
SET NAMES geostd8
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4
SET NAMES keybcs2
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4

== character sets 8
SET NAMES cp850
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4
SET NAMES cp866
SELECT 'text', v, l, u FROM strings WHERE id IN (2, 4) ORDER BY id
SELECT @@character_set_client, @@character_set_results, @@collation_connection, HEX('a'), CHARSET('a')
[bytes] SELECT '\xe4\xf6', '\x81\x5c', '\xa4\xa4'
SHOW COLUMNS FROM strings LIKE 'e'
SELECT * FROM nöwhere
SET NAMES utf8mb4

== character sets of results
SET character_set_results = utf16
SELECT 'text', '日本 ä 😀' AS `ä`, v, l, bl, e, 12 FROM strings WHERE id IN (2, 4) ORDER BY id
SHOW TABLES LIKE 'p%'
SELECT nothing
SHOW WARNINGS
SET character_set_results = utf32
SELECT 'text', '日本 ä 😀' AS `ä`, v, l, bl, e, 12 FROM strings WHERE id IN (2, 4) ORDER BY id
SHOW TABLES LIKE 'p%'
SELECT nothing
SHOW WARNINGS
SET character_set_results = ucs2
SELECT 'text', '日本 ä 😀' AS `ä`, v, l, bl, e, 12 FROM strings WHERE id IN (2, 4) ORDER BY id
SHOW TABLES LIKE 'p%'
SELECT nothing
SHOW WARNINGS
SET character_set_results = gbk
SELECT 'text', '日本 ä 😀' AS `ä`, v, l, bl, e, 12 FROM strings WHERE id IN (2, 4) ORDER BY id
SHOW TABLES LIKE 'p%'
SELECT nothing
SHOW WARNINGS
SET character_set_results = sjis
SELECT 'text', '日本 ä 😀' AS `ä`, v, l, bl, e, 12 FROM strings WHERE id IN (2, 4) ORDER BY id
SHOW TABLES LIKE 'p%'
SELECT nothing
SHOW WARNINGS
SET character_set_results = big5
SELECT 'text', '日本 ä 😀' AS `ä`, v, l, bl, e, 12 FROM strings WHERE id IN (2, 4) ORDER BY id
SHOW TABLES LIKE 'p%'
SELECT nothing
SHOW WARNINGS
SET character_set_results = latin1
SELECT 'text', '日本 ä 😀' AS `ä`, v, l, bl, e, 12 FROM strings WHERE id IN (2, 4) ORDER BY id
SHOW TABLES LIKE 'p%'
SELECT nothing
SHOW WARNINGS
SET character_set_results = ascii
SELECT 'text', '日本 ä 😀' AS `ä`, v, l, bl, e, 12 FROM strings WHERE id IN (2, 4) ORDER BY id
SHOW TABLES LIKE 'p%'
SELECT nothing
SHOW WARNINGS
SET character_set_results = binary
SELECT 'text', '日本 ä 😀' AS `ä`, v, l, bl, e, 12 FROM strings WHERE id IN (2, 4) ORDER BY id
SHOW TABLES LIKE 'p%'
SELECT nothing
SHOW WARNINGS
SET character_set_results = NULL
SELECT 'text', '日本 ä 😀' AS `ä`, v, l, bl, e, 12 FROM strings WHERE id IN (2, 4) ORDER BY id
SHOW TABLES LIKE 'p%'
SELECT nothing
SHOW WARNINGS
SET character_set_results = utf8mb4
SELECT 'text', '日本 ä 😀' AS `ä`, v, l, bl, e, 12 FROM strings WHERE id IN (2, 4) ORDER BY id
SHOW TABLES LIKE 'p%'
SELECT nothing
SHOW WARNINGS

== collations
SET collation_connection = utf8mb4_bin
SELECT 'a' = 'A', 'ss' = 'ß', 'a' = 'a ', COLLATION('x')
SELECT DISTINCT city FROM people ORDER BY city COLLATE utf8mb4_bin
SET collation_connection = utf8mb4_unicode_ci
SELECT 'a' = 'A', 'ss' = 'ß', 'a' = 'a ', COLLATION('x')
SELECT DISTINCT city FROM people ORDER BY city COLLATE utf8mb4_bin
SET collation_connection = utf8mb4_general_ci
SELECT 'a' = 'A', 'ss' = 'ß', 'a' = 'a ', COLLATION('x')
SELECT DISTINCT city FROM people ORDER BY city COLLATE utf8mb4_bin
SET collation_connection = utf8mb4_0900_ai_ci
SELECT 'a' = 'A', 'ss' = 'ß', 'a' = 'a ', COLLATION('x')
SELECT DISTINCT city FROM people ORDER BY city COLLATE utf8mb4_bin
SET collation_connection = utf8mb4_uca1400_ai_ci
SELECT 'a' = 'A', 'ss' = 'ß', 'a' = 'a ', COLLATION('x')
SELECT DISTINCT city FROM people ORDER BY city COLLATE utf8mb4_bin
SET collation_connection = latin1_bin
SELECT 'a' = 'A', 'ss' = 'ß', 'a' = 'a ', COLLATION('x')
SELECT DISTINCT city FROM people ORDER BY city COLLATE utf8mb4_bin
SET collation_connection = gbk_chinese_ci
SELECT 'a' = 'A', 'ss' = 'ß', 'a' = 'a ', COLLATION('x')
SELECT DISTINCT city FROM people ORDER BY city COLLATE utf8mb4_bin
SET collation_connection = utf8mb4_german2_ci
SELECT 'a' = 'A', 'ss' = 'ß', 'a' = 'a ', COLLATION('x')
SELECT DISTINCT city FROM people ORDER BY city COLLATE utf8mb4_bin
SET collation_connection = utf8mb4_nopad_bin
SELECT 'a' = 'A', 'ss' = 'ß', 'a' = 'a ', COLLATION('x')
SELECT DISTINCT city FROM people ORDER BY city COLLATE utf8mb4_bin

== ways of SET
SET SESSION sql_mode = 'ANSI'
SET LOCAL sql_mode = ''
SET @@sql_mode = 'ANSI'
SET @@session.sql_mode = ''
SET @@local.sql_mode = DEFAULT
SET GLOBAL sql_mode = ''
SET PERSIST sql_mode = ''
SET @@global.max_connections = 5
SET sql_mode = 'ANSI', time_zone = '+02:00', @a = 7
[gap=user-variable-types@mysql] SELECT @@sql_mode, @@time_zone, @a
SET sql_mode = '', nothing = 1
SELECT @@sql_mode
SET @a = 8, nothing = 1
[gap=user-variable-types@mysql] SELECT @a
SET sql_mode = @@global.sql_mode
SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')
SELECT @@sql_mode
SET sql_mode = (SELECT '')
SET autocommit := 1
SET NAMES utf8mb4, sql_mode = ''
SET sql_mode = '', NAMES latin1
SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci, SESSION sql_mode = 'STRICT_TRANS_TABLES'
SELECT @@collation_connection, @@sql_mode
SET NAMES 'utf8mb4'
SET NAMES "latin1"
SET NAMES DEFAULT
SET NAMES utf8
SET NAMES nowhere
SET NAMES utf8mb4 COLLATE latin1_bin
SET NAMES
SET CHARACTER SET latin1
SELECT @@character_set_client, @@character_set_results, @@collation_connection
SET CHARSET utf8mb4
SET CHARACTER SET DEFAULT
SET SESSION
SET = 1
SET sql_mode
SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED
SELECT 1
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
SELECT COUNT(*) FROM people
SET TRANSACTION READ ONLY
SELECT COUNT(*) FROM people
SET SESSION TRANSACTION READ ONLY
INSERT INTO keyless VALUES (9, 'x')
SET SESSION TRANSACTION READ WRITE
SET GLOBAL TRANSACTION READ ONLY
SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE
SELECT COUNT(*) FROM people
SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ
SET ROLE nowhere
SET DEFAULT ROLE NONE
SET sql_select_limit = 3
SELECT id FROM people ORDER BY id
SELECT id FROM people ORDER BY id LIMIT 5
SET sql_select_limit = DEFAULT
SET sql_safe_updates = 1
UPDATE keyless SET b = 'z'
SET sql_safe_updates = 0
SET div_precision_increment = 10
SELECT 1/3
SET big_tables = 1
SELECT city, COUNT(*) FROM people GROUP BY city ORDER BY city
!reset
[gap=user-variable-types@mysql] SELECT @@sql_mode, @@div_precision_increment, @a, @@autocommit, @@character_set_client

== transactions
CREATE TABLE t (id INT PRIMARY KEY, v INT)
BEGIN
INSERT INTO t VALUES (1, 1)
SELECT * FROM t
COMMIT
START TRANSACTION
INSERT INTO t VALUES (2, 2)
ROLLBACK
SELECT * FROM t
BEGIN WORK
COMMIT WORK
START TRANSACTION READ ONLY
SELECT * FROM t
INSERT INTO t VALUES (3, 3)
SELECT @@in_transaction
COMMIT
START TRANSACTION READ WRITE
COMMIT
START TRANSACTION WITH CONSISTENT SNAPSHOT
SELECT * FROM t
COMMIT
START TRANSACTION READ ONLY, WITH CONSISTENT SNAPSHOT
SELECT * FROM t
ROLLBACK
START TRANSACTION READ ONLY, READ WRITE
BEGIN
INSERT INTO t VALUES (4, 4)
SAVEPOINT a
INSERT INTO t VALUES (5, 5)
SAVEPOINT b
ROLLBACK TO SAVEPOINT a
ROLLBACK TO b
RELEASE SAVEPOINT a
RELEASE SAVEPOINT a
COMMIT
SELECT * FROM t ORDER BY id
SAVEPOINT outside
ROLLBACK TO outside
BEGIN
INSERT INTO t VALUES (6, 6)
BEGIN
ROLLBACK
SELECT COUNT(*) FROM t
BEGIN
INSERT INTO t VALUES (7, 7)
CREATE TABLE implicit (a INT)
ROLLBACK
SELECT COUNT(*) FROM t
BEGIN
INSERT INTO t VALUES (7, 8)
INSERT INTO t VALUES (8, 8)
COMMIT AND CHAIN
INSERT INTO t VALUES (9, 9)
ROLLBACK AND CHAIN
ROLLBACK AND NO CHAIN NO RELEASE
SELECT COUNT(*) FROM t
SET autocommit = 0
SELECT COUNT(*) FROM t
INSERT INTO t VALUES (10, 10)
ROLLBACK
INSERT INTO t VALUES (11, 11)
COMMIT
SELECT COUNT(*) FROM t
SET autocommit = 1
SELECT COUNT(*) FROM t
SET autocommit = 0
INSERT INTO t VALUES (12, 12)
SET autocommit = 1
ROLLBACK
SELECT COUNT(*) FROM t
BEGIN
SELECT * FROM nowhere
SELECT COUNT(*) FROM t
INSERT INTO t VALUES (1, 1)
!ping
!init_db app
ROLLBACK
COMMIT
ROLLBACK
SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED
BEGIN
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
COMMIT
BEGIN
DELETE FROM t
!reset
SELECT COUNT(*) FROM t
COMMIT RELEASE
SELECT 1

== xa [text]
CREATE TABLE t (id INT PRIMARY KEY)
XA START 'x1'
INSERT INTO t VALUES (1)
SELECT * FROM t
XA COMMIT 'x1'
XA END 'x1'
SELECT 1
XA PREPARE 'x1'
XA RECOVER
XA COMMIT 'x1'
SELECT * FROM t
XA START 'x2', 'b', 5
XA END 'x2', 'b', 5
XA ROLLBACK 'x2', 'b', 5
XA BEGIN 'x3'
INSERT INTO t VALUES (2)
XA END 'x3'
XA COMMIT 'x3' ONE PHASE
XA COMMIT 'nowhere'
XA START 'x4'
BEGIN
XA END 'x4'
XA ROLLBACK 'x4'
XA RECOVER
XA RECOVER CONVERT XID
SELECT * FROM t ORDER BY id

== locks
CREATE TABLE t (a INT)
LOCK TABLES t READ
SELECT * FROM t
INSERT INTO t VALUES (1)
SELECT COUNT(*) FROM people
UNLOCK TABLES
LOCK TABLES t WRITE, people READ
INSERT INTO t VALUES (1)
SELECT COUNT(*) FROM people
SELECT COUNT(*) FROM orders
UNLOCK TABLES
LOCK TABLES t AS x READ, t AS y READ LOCAL
SELECT * FROM t AS x
SELECT * FROM t
BEGIN
SELECT * FROM t
COMMIT
LOCK TABLES nowhere READ
[gap=unasked-session-state@mysql] UNLOCK TABLES
FLUSH TABLES t WITH READ LOCK
UNLOCK TABLES
FLUSH TABLES WITH READ LOCK
LOCK INSTANCE FOR BACKUP
UNLOCK INSTANCE
SELECT GET_LOCK('l1', 0)
SELECT IS_FREE_LOCK('l1')
SELECT IS_USED_LOCK('l1') = CONNECTION_ID()
SELECT RELEASE_LOCK('l1')
SELECT RELEASE_LOCK('l1')
SELECT GET_LOCK('l1', 0), GET_LOCK('l2', 0)
SELECT RELEASE_ALL_LOCKS()
SELECT GET_LOCK(NULL, 0), GET_LOCK('', 0)
DO GET_LOCK('l3', 0)
DO RELEASE_LOCK('l3')
HANDLER people OPEN
HANDLER people READ FIRST
HANDLER people READ NEXT LIMIT 2
HANDLER people READ by_city = ('Rome')
HANDLER people READ by_city FIRST
HANDLER people CLOSE
HANDLER people CLOSE
HANDLER people OPEN AS h
HANDLER h READ `PRIMARY` > (3) WHERE city = 'Rome' LIMIT 1
HANDLER h CLOSE
HANDLER nowhere OPEN

== temporary tables
CREATE TEMPORARY TABLE tmp (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(5))
INSERT INTO tmp (v) VALUES ('a'), ('b')
SELECT * FROM tmp
SELECT LAST_INSERT_ID()
SELECT COUNT(*) FROM tmp, people
SHOW TABLES LIKE 'tmp'
SHOW CREATE TABLE tmp
SHOW COLUMNS FROM tmp
CREATE TEMPORARY TABLE tmp (a INT)
CREATE TEMPORARY TABLE IF NOT EXISTS tmp (a INT)
SHOW WARNINGS
CREATE TEMPORARY TABLE people (mine INT)
SELECT * FROM people
DROP TEMPORARY TABLE people
SELECT COUNT(*) FROM people
CREATE TEMPORARY TABLE copied SELECT id, name FROM people
SELECT * FROM copied ORDER BY id LIMIT 2
ALTER TABLE copied ADD z INT
ALTER TABLE copied RENAME TO moved
SELECT COUNT(*) FROM moved
TRUNCATE TABLE moved
DROP TABLE moved
DROP TEMPORARY TABLE tmp
DROP TEMPORARY TABLE tmp
DROP TEMPORARY TABLE IF EXISTS tmp
SHOW WARNINGS
CREATE TEMPORARY TABLE tmp LIKE people
INSERT INTO tmp SELECT * FROM people
SELECT a.id FROM tmp a JOIN tmp b USING (id)
CREATE TEMPORARY TABLE app2.tmp2 (a INT)
SELECT * FROM app2.tmp2
!reset
SELECT * FROM tmp
CREATE TEMPORARY TABLE tmp (a INT)
!change_user app app
SELECT * FROM tmp

== prepared as text
PREPARE s FROM 'SELECT 1'
EXECUTE s
EXECUTE s
PREPARE s FROM 'SELECT ?, ? + 1'
SET @a = 5, @b = 'x'
EXECUTE s USING @a, @b
EXECUTE s USING @a
EXECUTE s USING @a, @unset
EXECUTE s
DEALLOCATE PREPARE s
EXECUTE s
DROP PREPARE s
PREPARE s FROM 'SELEKT'
PREPARE s FROM @unset
SET @q = 'SELECT id, name FROM people WHERE id = ?'
PREPARE s FROM @q
SET @id = 2
EXECUTE s USING @id
PREPARE t FROM 'INSERT INTO keyless SELECT 1, ''x'' WHERE 0'
EXECUTE t
PREPARE u FROM 'SELECT 1; SELECT 2'
EXECUTE IMMEDIATE 'SELECT 7'
EXECUTE IMMEDIATE CONCAT('SELECT ', 8)
PREPARE v FROM 'CALL two_results(?)'
EXECUTE v USING @id
PREPARE w FROM 'SHOW TABLES LIKE ''people'''
EXECUTE w
!reset
EXECUTE s USING @id
DEALLOCATE PREPARE nowhere

== a change that an EOF has no room for
!prepare s SELECT * FROM people WHERE id = 1
USE app2
!execute s
[gap=state-behind-eof@mysql] SELECT 1
[gap=state-behind-eof@mysql] SET @a = 1
[gap=state-behind-eof@mysql] COMMIT
