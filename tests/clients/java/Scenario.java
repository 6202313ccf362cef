// Connector/J of MariaDB, from its source file: Scenario MODE HOST PORT USER PASSWORD SCHEMA. MODE is text or prepared (useServerPrepStmts).
import java.io.ByteArrayInputStream;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.sql.Blob;
import java.sql.CallableStatement;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.SQLWarning;
import java.sql.Savepoint;
import java.sql.Statement;
import java.sql.Types;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;

public class Scenario {
    static String url;
    static String user;
    static String password;

    static void say(String what, Object... saw) {
        System.out.println(what + " " + Arrays.deepToString(saw));
    }

    interface Work {
        Object run() throws Exception;
    }

    static Object failing(Work work) throws Exception {
        try {
            return work.run();
        } catch (SQLException error) {
            // The driver puts its connection's number in front.
            String text = String.valueOf(error.getMessage()).replaceAll("conn[:=] ?\\d+", "conn");
            return List.of(error.getClass().getSimpleName(), error.getErrorCode(), String.valueOf(error.getSQLState()), text);
        }
    }

    static String plain(Object value) throws Exception {
        if (value instanceof Blob blob) {
            value = blob.getBytes(1, (int) blob.length());
        }
        if (value instanceof byte[] bytes) {
            return bytes.length > 500
                ? bytes.length + " bytes " + HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes))
                : "bytes " + HexFormat.of().formatHex(bytes);
        }
        return value == null ? "null" : value.getClass().getSimpleName() + " " + value;
    }

    static Object rows(ResultSet result) throws Exception {
        List<Object> all = new ArrayList<>();
        int columns = result.getMetaData().getColumnCount();
        while (result.next()) {
            List<String> row = new ArrayList<>();
            for (int column = 1; column <= columns; column++) {
                row.add(plain(result.getObject(column)));
            }
            all.add(row);
        }
        result.close();
        return all;
    }

    static Object query(Connection connection, String text, Object... values) throws Exception {
        try (PreparedStatement statement = connection.prepareStatement(text)) {
            for (int index = 0; index < values.length; index++) {
                statement.setObject(index + 1, values[index]);
            }
            return rows(statement.executeQuery());
        }
    }

    static int update(Connection connection, String text, Object... values) throws Exception {
        try (PreparedStatement statement = connection.prepareStatement(text)) {
            for (int index = 0; index < values.length; index++) {
                statement.setObject(index + 1, values[index]);
            }
            return statement.executeUpdate();
        }
    }

    static byte[] big(int size) {
        byte[] bytes = new byte[size];
        for (int index = 0; index < size; index++) {
            bytes[index] = (byte) (index * 31 + index / 257);
        }
        return bytes;
    }

    public static void main(String[] arguments) throws Exception {
        boolean prepared = arguments[0].equals("prepared");
        url = "jdbc:mariadb://" + arguments[1] + ":" + arguments[2] + "/" + arguments[5]
            + "?allowPublicKeyRetrieval=true&allowLocalInfile=true&allowMultiQueries=true&serverTimezone=UTC&connectionAttributes=program:checkout"
            + "&maxAllowedPacket=67108864&useServerPrepStmts=" + prepared;
        user = arguments[3];
        password = arguments[4];
        Connection connection = DriverManager.getConnection(url, user, password);
        say("before", query(connection, "SELECT 'before' AS phase, orders.* FROM orders WHERE customer_id = ? ORDER BY id DESC LIMIT 3", 7));
        say("count", query(connection, "SELECT 'before' AS phase, COUNT(*) FROM orders WHERE customer_id = ?", 7));
        DatabaseMetaData meta = connection.getMetaData();
        say("server", meta.getDatabaseProductName(), meta.getDatabaseProductVersion(), meta.getMaxConnections() > 0);
        say("tables", rows(meta.getTables(arguments[5], null, "o%", null)));
        say("keys", rows(meta.getPrimaryKeys(arguments[5], null, "items")));
        say("indexes", query(connection, "SHOW INDEX FROM orders WHERE Key_name = 'PRIMARY'").toString().length() > 20);
        try (PreparedStatement statement = connection.prepareStatement("SELECT * FROM kinds WHERE id >= ? ORDER BY id")) {
            statement.setInt(1, 1);
            ResultSet result = statement.executeQuery();
            ResultSetMetaData columns = result.getMetaData();
            for (int column = 1; column <= columns.getColumnCount(); column++) {
                say("column", columns.getColumnLabel(column), columns.getColumnTypeName(column), columns.getPrecision(column), columns.getScale(column),
                    columns.isNullable(column), columns.isSigned(column), columns.getTableName(column), columns.getColumnDisplaySize(column));
            }
            while (result.next()) {
                List<String> row = new ArrayList<>();
                for (int column = 1; column <= columns.getColumnCount(); column++) {
                    // As text, which every type has; what the driver cannot make of it is the same both ways.
                    int at = column;
                    row.add(String.valueOf(failing(() -> result.getString(at))));
                    row.add(String.valueOf(failing(() -> plain(result.getObject(at)))));
                }
                say("kinds", row);
            }
        }
        connection.setAutoCommit(false);
        say("lock", query(connection, "SELECT stock FROM products WHERE id = ? FOR UPDATE", 3));
        say("take", update(connection, "UPDATE products SET stock = stock - ? WHERE id = ?", 2, 3));
        try (PreparedStatement order = connection.prepareStatement("INSERT INTO orders (customer_id, total, placed_at, attributes, note) VALUES (?, ?, '2024-12-24', ?, ?)", Statement.RETURN_GENERATED_KEYS)) {
            order.setInt(1, 7);
            order.setBigDecimal(2, new BigDecimal("39.98"));
            order.setString(3, "{\"gift\": \"🎁\"}");
            order.setNull(4, Types.VARCHAR);
            say("order", order.executeUpdate(), rows(order.getGeneratedKeys()));
        }
        Savepoint savepoint = connection.setSavepoint("here");
        update(connection, "DELETE FROM items");
        connection.rollback(savepoint);
        connection.commit();
        update(connection, "DELETE FROM items");
        connection.rollback();
        say("items", query(connection, "SELECT COUNT(*) FROM items"));
        connection.setAutoCommit(true);
        say("bought", query(connection, "SELECT 'bought' AS phase, orders.* FROM orders WHERE customer_id = ? ORDER BY id DESC LIMIT 1", 7));
        for (int size : new int[] {1 << 20, 17 << 20}) {
            try (PreparedStatement upload = connection.prepareStatement("INSERT INTO uploads (name, body) VALUES (?, ?)")) {
                upload.setString(1, "" + size);
                upload.setBinaryStream(2, new ByteArrayInputStream(big(size)), size);
                say("upload", upload.executeUpdate());
            }
            say("uploaded", query(connection, "SELECT LENGTH(body), SHA2(body, 256), body FROM uploads WHERE name = ?", "" + size));
        }
        try (PreparedStatement batch = connection.prepareStatement("INSERT INTO imports (id, name, amount) VALUES (?, ?, ?)")) {
            for (int id = 0; id < 2000; id++) {
                batch.setInt(1, id);
                batch.setString(2, id % 3 == 0 ? "é " + id + " 🎁" : "x");
                batch.setObject(3, id % 5 == 0 ? null : new BigDecimal(id).movePointLeft(2));
                batch.addBatch();
            }
            int[] counts = batch.executeBatch();
            say("batch", counts.length, Arrays.stream(counts).sum());
        }
        say("imported", query(connection, "SELECT COUNT(*) AS n, SUM(amount) AS amount, MAX(CRC32(name)) AS names FROM imports"));
        try (Statement batch = connection.createStatement()) {
            batch.addBatch("UPDATE imports SET seen = 2 WHERE id < 10");
            batch.addBatch("DELETE FROM imports WHERE id < 5");
            say("batch", Arrays.toString(batch.executeBatch()));
        }
        for (String wrong : List.of("INSERT INTO customers (id, name) VALUES (1, 'again')", "SELEC 1 FROM customers", "SELECT * FROM no_such_table", "SELECT * FROM vault.secrets", "UPDATE products SET stock = -1 WHERE id = 1")) {
            say("error", failing(() -> query(connection, wrong)));
        }
        try (Statement statement = connection.createStatement()) {
            statement.execute("INSERT IGNORE INTO customers (id, name) VALUES (1, 'again')");
            for (SQLWarning warning = statement.getWarnings(); warning != null; warning = warning.getNextWarning()) {
                say("warning", warning.getErrorCode(), warning.getSQLState(), warning.getMessage());
            }
            boolean more = statement.execute("SELECT 1 AS a; DO 0; SELECT 2 AS b, 'x' AS c");
            do {
                say("multi", more ? rows(statement.getResultSet()) : statement.getUpdateCount());
                more = statement.getMoreResults();
            } while (more || statement.getUpdateCount() != -1);
            statement.execute("CREATE PROCEDURE two(IN a INT, OUT b INT, INOUT c VARCHAR(40)) BEGIN SELECT a AS a; SELECT name FROM customers LIMIT 2; SET b = a + 1; SET c = CONCAT(c, '🎁'); END");
        }
        say("call", failing(() -> {
            try (CallableStatement call = connection.prepareCall("{CALL two(?, ?, ?)}")) {
                call.setInt(1, 7);
                call.registerOutParameter(2, Types.INTEGER);
                call.setString(3, "c");
                call.registerOutParameter(3, Types.VARCHAR);
                List<Object> saw = new ArrayList<>();
                if (call.execute()) {
                    saw.add(rows(call.getResultSet()));
                }
                saw.add(call.getInt(2));
                saw.add(call.getString(3));
                return saw;
            }
        }));
        Path lines = Files.createTempFile("lines", ".tsv");
        StringBuilder text = new StringBuilder();
        for (int id = 10000; id < 12000; id++) {
            text.append(id).append("\tloaded ").append(id).append('\t').append(id % 7).append(".50\n");
        }
        Files.write(lines, text.toString().getBytes(StandardCharsets.UTF_8));
        say("load", update(connection, "LOAD DATA LOCAL INFILE '" + lines + "' INTO TABLE imports (id, name, amount)"));
        Files.delete(lines);
        try (Statement streaming = connection.createStatement(ResultSet.TYPE_FORWARD_ONLY, ResultSet.CONCUR_READ_ONLY)) {
            streaming.setFetchSize(100);
            ResultSet result = streaming.executeQuery("SELECT a.d * 10000 + b.d * 1000 + c.d * 100 + d.d * 10 + e.d FROM digits a, digits b, digits c, digits d, digits e");
            long sum = 0;
            while (result.next()) {
                sum += result.getLong(1);
            }
            say("streamed", sum);
        }
        try (Statement statement = connection.createStatement()) {
            statement.setQueryTimeout(1);
            // On MySQL an interrupted SLEEP is no error.
            say("timeout", failing(() -> rows(statement.executeQuery("SELECT SLEEP(3)"))) instanceof List<?> saw ? saw.get(saw.size() > 1 ? 1 : 0) : "");
        }
        for (int level : new int[] {Connection.TRANSACTION_READ_UNCOMMITTED, Connection.TRANSACTION_SERIALIZABLE, Connection.TRANSACTION_REPEATABLE_READ}) {
            connection.setTransactionIsolation(level);
            say("isolation", connection.getTransactionIsolation(), query(connection, "SELECT COUNT(*) FROM customers"));
        }
        connection.setReadOnly(true);
        say("read only", connection.isReadOnly(), query(connection, "SELECT COUNT(*) FROM imports"));
        connection.setReadOnly(false);
        connection.setCatalog("information_schema");
        say("catalog", connection.getCatalog(), query(connection, "SELECT DATABASE()"), connection.isValid(1));
        connection.close();
        say("refused", ((List<?>) failing(() -> DriverManager.getConnection(url, user, "wrong"))).subList(1, 3));
        say("refused", ((List<?>) failing(() -> DriverManager.getConnection(url.replace("/" + arguments[5] + "?", "/no_such_schema?"), user, password))).subList(1, 3));
    }
}
