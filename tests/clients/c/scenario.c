/* Connector/C: scenario MODE HOST PORT USER PASSWORD SCHEMA. MODE is plain or bulk. */
#include <errno.h>
#include <mysql.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static MYSQL *mysql;
static const char *host, *user, *password, *schema;
static unsigned port;

static void fail(const char *what) {
  printf("failed: %s: %u %s %s\n", what, mysql_errno(mysql), mysql_sqlstate(mysql), mysql_error(mysql));
  exit(1);
}

static MYSQL *connected(unsigned long flags) {
  MYSQL *made = mysql_init(NULL);
  unsigned on = 1;
  mysql_options(made, MYSQL_OPT_LOCAL_INFILE, &on);
  mysql_options(made, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  mysql_optionsv(made, MYSQL_OPT_CONNECT_ATTR_ADD, "program", "checkout");
  mysql_options(made, MYSQL_INIT_COMMAND, "SET @init = 'command'");
  if (!mysql_real_connect(made, host, user, password, schema, port, NULL, flags)) {
    mysql = made;
    fail("connect");
  }
  return made;
}

static void print_bytes(const char *bytes, unsigned long length) {
  if (length > 2000) {
    unsigned long sum = 0, at;
    for (at = 0; at < length; at++) sum = sum * 31 + (unsigned char)bytes[at];
    printf(" <%lu bytes, sum %lx>", length, sum);
    return;
  }
  putchar(' ');
  for (unsigned long at = 0; at < length; at++) {
    unsigned char one = (unsigned char)bytes[at];
    one < 32 || one == 127 ? (void)printf("\\x%02x", one) : (void)putchar(one);
  }
}

static void print_columns(MYSQL_RES *result) {
  MYSQL_FIELD *field;
  while ((field = mysql_fetch_field(result)))
    printf("  column %s.%s.%s as %s.%s type %d length %lu flags %u decimals %u charset %u default %s\n", field->db, field->org_table,
           field->org_name, field->table, field->name, field->type, field->length, field->flags, field->decimals, field->charsetnr, field->def ? field->def : "-");
}

static void print_result(MYSQL_RES *result) {
  MYSQL_ROW row;
  print_columns(result);
  while ((row = mysql_fetch_row(result))) {
    unsigned long *lengths = mysql_fetch_lengths(result);
    printf("  row");
    for (unsigned column = 0; column < mysql_num_fields(result); column++)
      row[column] ? print_bytes(row[column], lengths[column]) : (void)printf(" NULL");
    printf("\n");
  }
  mysql_free_result(result);
}

/* Runs a text and prints all that comes of it. */
static void run(const char *text) {
  int next;
  printf("%.100s\n", text);
  if (mysql_query(mysql, text)) {
    printf("  error %u %s %s\n", mysql_errno(mysql), mysql_sqlstate(mysql), mysql_error(mysql));
    return;
  }
  do {
    MYSQL_RES *result = mysql_store_result(mysql);
    if (result) print_result(result);
    printf("  affected %lld id %llu warnings %u status %u info %s\n", (long long)mysql_affected_rows(mysql), (unsigned long long)mysql_insert_id(mysql),
           mysql_warning_count(mysql), mysql->server_status, mysql_info(mysql) ? mysql_info(mysql) : "-");
    next = mysql_next_result(mysql);
    if (next > 0) printf("  error %u %s %s\n", mysql_errno(mysql), mysql_sqlstate(mysql), mysql_error(mysql));
  } while (next == 0);
}

static void stmt_failed(MYSQL_STMT *stmt, const char *what) {
  printf("  %s: error %u %s %s\n", what, mysql_stmt_errno(stmt), mysql_stmt_sqlstate(stmt), mysql_stmt_error(stmt));
}

#define WIDTH 4096
#define COLUMNS 64
/* Fetches all rows of what was executed: as text, and integers also as such. */
static void print_stmt(MYSQL_STMT *stmt) {
  static char buffers[COLUMNS][WIDTH];
  int next;
  do {
    MYSQL_RES *metadata = mysql_stmt_result_metadata(stmt);
    if (metadata) {
      MYSQL_BIND binds[COLUMNS];
      unsigned long lengths[COLUMNS];
      my_bool nulls[COLUMNS], errors[COLUMNS];
      unsigned columns = mysql_num_fields(metadata);
      int fetched;
      memset(binds, 0, sizeof binds);
      for (unsigned column = 0; column < columns; column++) {
        binds[column].buffer_type = MYSQL_TYPE_STRING;
        binds[column].buffer = buffers[column];
        binds[column].buffer_length = WIDTH;
        binds[column].length = &lengths[column];
        binds[column].is_null = &nulls[column];
        binds[column].error = &errors[column];
      }
      print_columns(metadata);
      mysql_free_result(metadata);
      mysql_stmt_bind_result(stmt, binds);
      while ((fetched = mysql_stmt_fetch(stmt)) == 0 || fetched == MYSQL_DATA_TRUNCATED) {
        printf("  row");
        for (unsigned column = 0; column < columns; column++) {
          if (nulls[column]) {
            printf(" NULL");
          } else if (lengths[column] > WIDTH) {
            /* The rest in pieces. */
            unsigned long sum = 0, at;
            for (at = 0; at < lengths[column]; at += WIDTH) {
              binds[column].length = &lengths[column];
              if (mysql_stmt_fetch_column(stmt, &binds[column], column, at)) break;
              for (unsigned long one = 0; one < WIDTH && at + one < lengths[column]; one++) sum = sum * 31 + (unsigned char)buffers[column][one];
            }
            printf(" <%lu bytes, sum %lx>", lengths[column], sum);
          } else {
            print_bytes(buffers[column], lengths[column]);
          }
        }
        printf("\n");
      }
      if (fetched == 1) stmt_failed(stmt, "fetch");
      mysql_stmt_free_result(stmt);
    }
    printf("  affected %lld id %llu warnings %u status %u\n", (long long)mysql_stmt_affected_rows(stmt), (unsigned long long)mysql_stmt_insert_id(stmt),
           mysql_warning_count(mysql), mysql->server_status);
    next = mysql_stmt_next_result(stmt);
    if (next > 0) stmt_failed(stmt, "next");
  } while (next == 0);
}

static MYSQL_STMT *prepared(const char *text) {
  MYSQL_STMT *stmt = mysql_stmt_init(mysql);
  printf("prepare %.100s\n", text);
  if (mysql_stmt_prepare(stmt, text, strlen(text))) {
    stmt_failed(stmt, "prepare");
    mysql_stmt_close(stmt);
    return NULL;
  }
  printf("  %lu parameters, %u columns\n", mysql_stmt_param_count(stmt), mysql_stmt_field_count(stmt));
  return stmt;
}

static void execute(MYSQL_STMT *stmt, MYSQL_BIND *binds) {
  if (binds && mysql_stmt_bind_param(stmt, binds)) stmt_failed(stmt, "bind");
  if (mysql_stmt_execute(stmt)) stmt_failed(stmt, "execute");
  else print_stmt(stmt);
}

static MYSQL_BIND bound(enum enum_field_types type, void *value, unsigned long length) {
  MYSQL_BIND bind;
  memset(&bind, 0, sizeof bind);
  bind.buffer_type = type;
  bind.buffer = value;
  bind.buffer_length = length;
  return bind;
}

static void statements(void) {
  int one = 1, seven = 7;
  MYSQL_BIND binds[16];
  MYSQL_STMT *stmt = prepared("SELECT 'before' AS phase, orders.* FROM orders WHERE customer_id = ? AND id > ? ORDER BY id DESC LIMIT 3");
  binds[0] = bound(MYSQL_TYPE_LONG, &seven, 0);
  binds[1] = bound(MYSQL_TYPE_LONG, &one, 0);
  execute(stmt, binds);
  execute(stmt, NULL);
  printf("reset %d\n", mysql_stmt_reset(stmt));
  execute(stmt, binds);
  mysql_stmt_close(stmt);
  stmt = prepared("SELECT * FROM kinds WHERE id >= ? ORDER BY id");
  execute(stmt, &binds[1]);
  mysql_stmt_close(stmt);

  /* Every type as a parameter. */
  signed char tiny = -5;
  short small = -3000;
  long long big = -9000000000LL;
  unsigned long long huge = 18000000000000000000ULL;
  float single = 1.25f;
  double twice = -2.5e100;
  MYSQL_TIME day, clock, moment;
  memset(&day, 0, sizeof day);
  day.year = 2024, day.month = 2, day.day = 29, day.time_type = MYSQL_TIMESTAMP_DATE;
  memset(&clock, 0, sizeof clock);
  clock.hour = 123, clock.minute = 4, clock.second = 5, clock.second_part = 678901, clock.neg = 1, clock.time_type = MYSQL_TIMESTAMP_TIME;
  moment = day;
  moment.hour = 23, moment.minute = 59, moment.second = 58, moment.second_part = 123456, moment.time_type = MYSQL_TIMESTAMP_DATETIME;
  stmt = prepared("SELECT ? AS a, ? AS b, ? AS c, ? AS d, ? AS e, ? AS f, ? AS g, ? AS h, ? AS i, ? AS j, ? AS k, ? AS l");
  binds[0] = bound(MYSQL_TYPE_TINY, &tiny, 0);
  binds[1] = bound(MYSQL_TYPE_SHORT, &small, 0);
  binds[2] = bound(MYSQL_TYPE_LONG, &seven, 0);
  binds[3] = bound(MYSQL_TYPE_LONGLONG, &big, 0);
  binds[4] = bound(MYSQL_TYPE_LONGLONG, &huge, 0);
  binds[4].is_unsigned = 1;
  binds[5] = bound(MYSQL_TYPE_FLOAT, &single, 0);
  binds[6] = bound(MYSQL_TYPE_DOUBLE, &twice, 0);
  binds[7] = bound(MYSQL_TYPE_DATE, &day, 0);
  binds[8] = bound(MYSQL_TYPE_TIME, &clock, 0);
  binds[9] = bound(MYSQL_TYPE_DATETIME, &moment, 0);
  binds[10] = bound(MYSQL_TYPE_STRING, "Zoë 🛒", strlen("Zoë 🛒"));
  binds[11] = bound(MYSQL_TYPE_NULL, NULL, 0);
  execute(stmt, binds);
  binds[11] = bound(MYSQL_TYPE_BLOB, "a\0b", 3);
  binds[2] = bound(MYSQL_TYPE_STRING, "not a number any more", 21);
  execute(stmt, binds);
  mysql_stmt_close(stmt);

  stmt = prepared("INSERT INTO uploads (name, body) VALUES (?, ?)");
  static char body[17 << 20];
  for (size_t at = 0; at < sizeof body; at++) body[at] = (char)(at * 31 + at / 257);
  unsigned long sizes[] = {1 << 20, sizeof body};
  for (int at = 0; at < 2; at++) {
    binds[0] = bound(MYSQL_TYPE_STRING, "whole", 5);
    binds[1] = bound(MYSQL_TYPE_BLOB, body, sizes[at]);
    execute(stmt, binds);
    binds[0] = bound(MYSQL_TYPE_STRING, "parts", 5);
    binds[1] = bound(MYSQL_TYPE_BLOB, NULL, 0);
    mysql_stmt_bind_param(stmt, binds);
    for (unsigned long sent = 0; sent < sizes[at]; sent += 1 << 18)
      if (mysql_stmt_send_long_data(stmt, 1, body + sent, sizes[at] - sent < 1 << 18 ? sizes[at] - sent : 1 << 18)) stmt_failed(stmt, "long data");
    execute(stmt, NULL);
  }
  mysql_stmt_close(stmt);
  stmt = prepared("SELECT name, LENGTH(body), SHA2(body, 256), body FROM uploads ORDER BY id");
  execute(stmt, NULL);
  mysql_stmt_close(stmt);

  /* A cursor, fetched in portions; the connection serves others in between. */
  unsigned long type = CURSOR_TYPE_READ_ONLY, portion = 3;
  stmt = prepared("SELECT id, name FROM customers ORDER BY id");
  mysql_stmt_attr_set(stmt, STMT_ATTR_CURSOR_TYPE, &type);
  mysql_stmt_attr_set(stmt, STMT_ATTR_PREFETCH_ROWS, &portion);
  if (mysql_stmt_execute(stmt)) stmt_failed(stmt, "execute");
  char text[200];
  unsigned long length;
  int id;
  memset(binds, 0, sizeof binds);
  binds[0] = bound(MYSQL_TYPE_LONG, &id, 0);
  binds[1] = bound(MYSQL_TYPE_STRING, text, sizeof text);
  binds[1].length = &length;
  mysql_stmt_bind_result(stmt, binds);
  for (int row = 0; mysql_stmt_fetch(stmt) == 0; row++) {
    printf("  cursor %d %.*s\n", id, (int)length, text);
    if (row == 4) run("SELECT 'in between' AS said");
  }
  mysql_stmt_close(stmt);
  prepared("SELEC ?");
  prepared("SELECT * FROM nowhere WHERE id = ?");
  stmt = prepared("INSERT INTO customers (id, name) VALUES (?, 'x')");
  binds[0] = bound(MYSQL_TYPE_LONG, &one, 0);
  execute(stmt, binds);
  mysql_stmt_close(stmt);

  run("CREATE PROCEDURE two(IN a INT, OUT b INT, INOUT c VARCHAR(40)) BEGIN SELECT a AS a; SELECT name FROM customers LIMIT 2; SET b = a + 1; SET c = CONCAT(c, '🎁'); END");
  run("CALL two(3, @b, @c)");
  stmt = prepared("CALL two(?, ?, ?)");
  binds[0] = bound(MYSQL_TYPE_LONG, &seven, 0);
  binds[1] = bound(MYSQL_TYPE_NULL, NULL, 0);
  binds[2] = bound(MYSQL_TYPE_STRING, "c", 1);
  execute(stmt, binds);
  mysql_stmt_close(stmt);
  run("DROP PROCEDURE two");
}

/* MariaDB: one command with the parameters of many rows. */
static void bulk(void) {
  unsigned rows = 5, one_row = 0;
  int ids[] = {1, 2, 3, 4, 5};
  char *names[] = {"eins", "zwölf", "🎁", "", "fünf"};
  unsigned long lengths[] = {4, 6, 4, 0, 5};
  char none[] = {STMT_INDICATOR_NONE, STMT_INDICATOR_NONE, STMT_INDICATOR_NONE, STMT_INDICATOR_NULL, STMT_INDICATOR_DEFAULT};
  char seen[] = {STMT_INDICATOR_DEFAULT, STMT_INDICATOR_NONE, STMT_INDICATOR_NONE, STMT_INDICATOR_DEFAULT, STMT_INDICATOR_NONE};
  MYSQL_BIND binds[3];
  run("CREATE TABLE bulk (id INT PRIMARY KEY, name VARCHAR(40) DEFAULT 'nobody', seen INT DEFAULT 42)");
  MYSQL_STMT *stmt = prepared("INSERT INTO bulk VALUES (?, ?, ?)");
  binds[0] = bound(MYSQL_TYPE_LONG, ids, 0);
  binds[1] = bound(MYSQL_TYPE_STRING, names, 0);
  binds[1].length = lengths;
  binds[1].u.indicator = none;
  binds[2] = bound(MYSQL_TYPE_LONG, ids, 0);
  binds[2].u.indicator = seen;
  mysql_stmt_attr_set(stmt, STMT_ATTR_ARRAY_SIZE, &rows);
  execute(stmt, binds);
  execute(stmt, NULL);
  mysql_stmt_attr_set(stmt, STMT_ATTR_ARRAY_SIZE, &one_row);
  mysql_stmt_close(stmt);
  run("SELECT * FROM bulk ORDER BY id");
  stmt = prepared("DELETE FROM bulk WHERE id = ? RETURNING id, name");
  execute(stmt, binds);
  mysql_stmt_close(stmt);
  run("DROP TABLE bulk");
}

static void asynchronous(void) {
  MYSQL other;
  MYSQL *made;
  int status, failed;
  mysql_init(&other);
  mysql_options(&other, MYSQL_OPT_NONBLOCK, 0);
  status = mysql_real_connect_start(&made, &other, host, user, password, schema, port, NULL, 0);
#define WAIT(call)                                                                                             \
  while (status) {                                                                                             \
    struct pollfd ready = {mysql_get_socket(&other), (short)((status & MYSQL_WAIT_READ ? POLLIN : 0) | (status & MYSQL_WAIT_WRITE ? POLLOUT : 0)), 0}; \
    int saw = poll(&ready, 1, 5000);                                                                           \
    int events = saw <= 0 ? MYSQL_WAIT_TIMEOUT : (ready.revents & POLLIN ? MYSQL_WAIT_READ : 0) | (ready.revents & POLLOUT ? MYSQL_WAIT_WRITE : 0); \
    status = call;                                                                                             \
  }
  WAIT(mysql_real_connect_cont(&made, &other, events))
  if (!made) {
    printf("async: error %u %s\n", mysql_errno(&other), mysql_error(&other));
    return;
  }
  status = mysql_query_start(&failed, &other, "SELECT SLEEP(0.05), 'async' AS said");
  WAIT(mysql_query_cont(&failed, &other, events))
  MYSQL_RES *result;
  status = mysql_store_result_start(&result, &other);
  WAIT(mysql_store_result_cont(&result, &other, events))
  printf("async %d\n", failed);
  print_result(result);
  mysql_close(&other);
}

int main(int count, char **arguments) {
  if (count != 7) return 2;
  int with_bulk = strcmp(arguments[1], "bulk") == 0;
  host = arguments[2], port = (unsigned)atoi(arguments[3]), user = arguments[4], password = arguments[5], schema = arguments[6];
  mysql = connected(CLIENT_MULTI_STATEMENTS | CLIENT_MULTI_RESULTS);
  printf("server %s, version %lu, protocol %u, charset %s, status %u\n", mysql_get_server_info(mysql), mysql_get_server_version(mysql),
         mysql_get_proto_info(mysql), mysql_character_set_name(mysql), mysql->server_status);
  run("SELECT 'before' AS phase, orders.* FROM orders WHERE customer_id = 7 ORDER BY id DESC LIMIT 3");
  statements();
  run("SELECT @init");
  run("SELECT * FROM kinds ORDER BY id");
  run("START TRANSACTION");
  run("SELECT stock FROM products WHERE id = 3 FOR UPDATE");
  run("INSERT INTO orders (customer_id, total, placed_at, note) VALUES (7, 1.5, '2024-12-24', '🎁'), (7, 2.5, '2024-12-24', NULL)");
  run("COMMIT");
  run("BEGIN; DELETE FROM items; ROLLBACK; SELECT COUNT(*) FROM items");
  printf("autocommit %d\n", mysql_autocommit(mysql, 0));
  run("UPDATE customers SET note = 'x' WHERE id < 3");
  printf("rollback %d, %d\n", mysql_rollback(mysql), mysql_autocommit(mysql, 1));
  run("INSERT IGNORE INTO customers (id, name) VALUES (1, 'again'); SHOW WARNINGS; SELECT @@warning_count");
  run("SELECT 1; SELEC 2; SELECT 3");
  run("SELECT 1; DO 0; SELECT * FROM nowhere; SELECT 3");
  run("");
  run(";");
  run("-- only a comment");
  run("UPDATE customers SET name = name");
  run("LOAD DATA LOCAL INFILE '/nonexistent/file' INTO TABLE imports");
  printf("ping %d, select_db %d, %d\n", mysql_ping(mysql), mysql_select_db(mysql, "information_schema"), mysql_select_db(mysql, "nowhere"));
  run("SELECT DATABASE()");
  mysql_select_db(mysql, schema);
  printf("charset %d %s\n", mysql_set_character_set(mysql, "latin1"), mysql_character_set_name(mysql));
  run("SELECT name FROM customers WHERE id = 1");
  mysql_set_character_set(mysql, "utf8mb4");
  printf("option %d\n", mysql_set_server_option(mysql, MYSQL_OPTION_MULTI_STATEMENTS_OFF));
  run("SELECT 1; SELECT 2");
  printf("option %d\n", mysql_set_server_option(mysql, MYSQL_OPTION_MULTI_STATEMENTS_ON));
  run("SELECT 1; SELECT 2");
  MYSQL_RES *fields = mysql_list_fields(mysql, "orders", "%");
  if (fields) {
    print_columns(fields);
    mysql_free_result(fields);
  } else {
    printf("list_fields: error %u\n", mysql_errno(mysql));
  }
  const char *stat = mysql_stat(mysql);
  printf("stat %d, dump debug info %d, %u\n", stat && strstr(stat, "Uptime") != NULL, mysql_dump_debug_info(mysql), mysql_errno(mysql));
  run("SET @kept = 5, SESSION sql_mode = 'ANSI_QUOTES'; CREATE TEMPORARY TABLE scratch (id INT)");
  printf("reset %d\n", mysql_reset_connection(mysql));
  run("SELECT @kept, LENGTH(@@sql_mode), CRC32(DATABASE())");
  run("SELECT * FROM scratch");
  run("SELECT @@character_set_client, @@character_set_results, @@collation_connection");
  run("SET NAMES utf8mb4");
  run("SELECT '🎁', @@character_set_client, @@collation_connection");
  run("SELECT GET_LOCK('pointsman scenario', 0)");
  run("SELECT IS_USED_LOCK('pointsman scenario') IS NULL, IS_FREE_LOCK('pointsman scenario')");
  run("SELECT RELEASE_LOCK('pointsman scenario'), IS_USED_LOCK('pointsman scenario')");
  run("SET @kept = 6; CREATE TEMPORARY TABLE scratch (id INT)");
  printf("change_user %d\n", mysql_change_user(mysql, user, password, schema));
  run("SELECT @kept, CURRENT_USER(), DATABASE()");
  run("SELECT * FROM scratch");
  printf("change_user %d", mysql_change_user(mysql, user, password, NULL));
  printf(", %d\n", mysql_change_user(mysql, user, password, schema));
  MYSQL *other = mysql;
  mysql = connected(0);
  printf("change_user %d", mysql_change_user(mysql, user, "wrong", schema));
  printf(", error %u %s\n", mysql_errno(mysql), mysql_sqlstate(mysql));
  mysql_close(mysql);
  mysql = other;
  if (mysql_query(mysql, "SELECT a.d * 10000 + b.d * 1000 + c.d * 100 + d.d * 10 + e.d FROM digits a, digits b, digits c, digits d, digits e")) fail("query");
  MYSQL_RES *streamed = mysql_use_result(mysql);
  MYSQL_ROW row;
  long long sum = 0;
  while ((row = mysql_fetch_row(streamed))) sum += atoll(row[0]);
  printf("streamed %lld\n", sum);
  mysql_free_result(streamed);
  if (with_bulk) bulk();
  asynchronous();
  mysql_close(mysql);
  mysql = connected(CLIENT_FOUND_ROWS | CLIENT_COMPRESS | CLIENT_IGNORE_SPACE);
  run("UPDATE customers SET name = name");
  run("SELECT COUNT (*) FROM customers");
  mysql_close(mysql);
  mysql_library_end();
  return 0;
}
