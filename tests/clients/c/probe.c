/* Connector/C: probe MODE CA: for each line HOST PORT USER PASSWORD off|on|verified of its input one line: the account and the sign asked
   for, or why not. `on`: only with TLS; `verified`: and with the server's certificate and name verified. */
#include <mysql.h>
#include <stdio.h>
#include <string.h>

int main(int count, char **arguments) {
  char host[64], user[64], password[64], tls[16];
  unsigned port;
  if (count < 3) return 2;
  while (scanf("%63s %u %63s %63s %15s", host, &port, user, password, tls) == 5) {
    MYSQL *one = mysql_init(NULL);
    MYSQL_RES *result = NULL;
    MYSQL_ROW row = NULL;
    my_bool yes = 1, verify = strcmp(tls, "verified") == 0;
    mysql_options(one, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (strcmp(tls, "off") != 0) mysql_options(one, MYSQL_OPT_SSL_ENFORCE, &yes);
    mysql_options(one, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
    if (verify) mysql_ssl_set(one, NULL, NULL, arguments[2], NULL, NULL);
    if (mysql_real_connect(one, host, user, password, NULL, port, NULL, 0) && !mysql_query(one, "SELECT CURRENT_USER(), 'é'")
        && (result = mysql_store_result(one)))
      row = mysql_fetch_row(result);
    if (row && (strcmp(tls, "off") == 0 || mysql_get_ssl_cipher(one))) printf("%s %s\n", row[0], row[1]);
    else printf("failed: %u %s\n", mysql_errno(one), mysql_error(one));
    if (result) mysql_free_result(result);
    mysql_close(one);
  }
  return 0;
}
