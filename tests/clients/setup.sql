-- What every client finds: the schema `shop`, made anew before each run. Statements end with a semicolon at a line's end.
DROP DATABASE IF EXISTS shop;
CREATE DATABASE shop CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
USE shop;
CREATE TABLE digits (d INT NOT NULL PRIMARY KEY);
INSERT INTO digits VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);
CREATE TABLE customers (
  id INT NOT NULL PRIMARY KEY,
  name VARCHAR(80) NOT NULL,
  note TEXT
);
INSERT INTO customers
  SELECT d + 1, CONCAT('Zoë 🛒 Müller ', d + 1), IF(d % 2, NULL, CONCAT('日本語 ', d)) FROM digits;
CREATE TABLE products (
  id INT NOT NULL PRIMARY KEY,
  sku VARCHAR(20) NOT NULL UNIQUE,
  name VARCHAR(80) NOT NULL,
  price DECIMAL(10, 2) NOT NULL,
  stock INT UNSIGNED NOT NULL,
  weight DOUBLE,
  picture VARBINARY(16)
);
INSERT INTO products
  SELECT d + 1, CONCAT('sku-', d + 1), CONCAT('Teapot ☕ №', d + 1), 19.99 + d, 1000, IF(d = 3, NULL, d * 0.25), UNHEX(CONCAT('00FF0A27', LPAD(HEX(d), 2, '0')))
  FROM digits;
CREATE TABLE orders (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  customer_id INT NOT NULL,
  total DECIMAL(12, 2) NOT NULL,
  placed_at DATETIME(3) NOT NULL,
  paid_on DATE,
  attributes JSON,
  note VARCHAR(200),
  KEY (customer_id)
);
INSERT INTO orders (customer_id, total, placed_at, paid_on, attributes, note)
  SELECT c.d + 1, 1000000.01 * a.d + b.d, '2024-05-06 07:08:09.123' + INTERVAL (a.d * 10 + b.d) HOUR,
    IF(b.d % 3, NULL, '2024-06-01' + INTERVAL b.d DAY),
    IF(b.d % 4, CONCAT('{"gift": true, "tags": ["é", "🎁"], "step": ', b.d, '}'), NULL),
    IF(b.d % 2, NULL, CONCAT('it''s a "note" \\ ', a.d, b.d, ' 🚚'))
  FROM digits a, digits b, digits c ORDER BY a.d, b.d, c.d;
CREATE TABLE items (
  order_id INT UNSIGNED NOT NULL,
  position SMALLINT NOT NULL,
  product_id INT NOT NULL,
  quantity INT NOT NULL,
  price DECIMAL(10, 2) NOT NULL,
  PRIMARY KEY (order_id, position)
);
INSERT INTO items SELECT o.id, d.d + 1, 1 + (o.id + d.d) % 10, 1 + d.d, 4.20 + d.d FROM orders o, digits d WHERE d.d < 2;
CREATE TABLE imports (
  id INT NOT NULL PRIMARY KEY,
  name VARCHAR(80) NOT NULL,
  amount DECIMAL(10, 2),
  seen INT NOT NULL DEFAULT 1
);
CREATE TABLE kinds (
  id INT NOT NULL PRIMARY KEY,
  tiny TINYINT, tiny_u TINYINT UNSIGNED, small SMALLINT, medium MEDIUMINT, whole INT, whole_u INT UNSIGNED ZEROFILL,
  big BIGINT, big_u BIGINT UNSIGNED, exact DECIMAL(30, 10), single FLOAT, twice DOUBLE, bits BIT(12), yes BOOLEAN,
  day DATE, clock TIME(6), moment DATETIME(6), stamp TIMESTAMP(3) NULL, anno YEAR,
  few CHAR(8), some VARCHAR(40) CHARACTER SET latin1, many VARCHAR(200), words TEXT, raw VARBINARY(40), fixed BINARY(4), body LONGBLOB,
  one ENUM('a', 'ß', 'é'), several SET('x', 'y', 'z'), doc JSON, place POINT
);
INSERT INTO kinds VALUES (1, -12, 250, -32000, 8000000, -2000000000, 42, -9000000000000000000, 18000000000000000000, 12345678901234567890.0123456789,
  1.5, -2.25e100, b'101010101010', TRUE, '2024-02-29', '-838:59:58.999999', '2024-12-31 23:59:59.123456', '2024-06-01 12:00:00.5', 2024,
  'char  ', 'Größe', 'Zoë 🛒 日本語', 'a\nb\tc\\d', X'00FF27225C0A', X'01', X'000102FF', 'é', 'x,z', '{"k": [1, null, "é"]}', POINT(1, -2.5));
INSERT INTO kinds (id) VALUES (2);
INSERT INTO kinds VALUES (3, 127, 0, 0, -8388608, 0, 0, 9223372036854775807, 0, 0, 0, 0, b'0', FALSE, '1000-01-01', '00:00:00', '1000-01-01 00:00:00',
  '1970-01-02 00:00:01', 1901, '', '', '', '', '', '', '', 'a', '', '[]', POINT(0, 0));
CREATE TABLE uploads (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(80), body LONGBLOB);
DROP DATABASE IF EXISTS vault;
CREATE DATABASE vault;
CREATE TABLE vault.secrets (id INT);
GRANT ALL ON shop.* TO 'app'@'%';
