// Connector/J of MariaDB, from its source file: Probe MODE CA: for each line HOST PORT USER PASSWORD off|on|verified of its input one line:
// the account and the parameter, or why not. `on`: only with TLS; `verified`: and with the server's certificate and name verified.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.util.Properties;

public class Probe {
    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] target = line.trim().split(" ");
            Properties login = new Properties();
            login.setProperty("user", target[2]);
            login.setProperty("password", target[3]);
            login.setProperty("allowPublicKeyRetrieval", "true");
            login.setProperty("useServerPrepStmts", "true");
            if (!target[4].equals("off")) {
                login.setProperty("useSsl", "true");
                login.setProperty(target[4].equals("on") ? "trustServerCertificate" : "serverSslCert", target[4].equals("on") ? "true" : arguments[1]);
            }
            try (Connection one = DriverManager.getConnection("jdbc:mariadb://" + target[0] + ":" + target[1] + "/", login);
                    PreparedStatement statement = one.prepareStatement("SELECT CURRENT_USER(), ?")) {
                statement.setString(1, "é");
                try (ResultSet result = statement.executeQuery()) {
                    result.next();
                    out.println(result.getString(1) + " " + result.getString(2));
                }
            } catch (Exception error) {
                out.println("failed: " + String.valueOf(error.getMessage()).replace('\n', ' '));
            }
        }
    }
}
