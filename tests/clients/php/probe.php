<?php
// probe.php pdo|mysqli CA: for each line HOST PORT USER PASSWORD off|on|verified of its input one line: the account and the parameter,
// or why not. `on`: only with TLS; `verified`: and with the server's certificate and name verified.
declare(strict_types=1);
[, $driver, $authority] = $argv;
$ask = 'SELECT CURRENT_USER(), ?';
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
while ($line = fgets(STDIN)) {
    [$host, $port, $user, $password, $tls] = explode(' ', trim($line));
    try {
        if ($driver === 'pdo') {
            $options = [PDO::ATTR_EMULATE_PREPARES => false];
            if ($tls === 'on') {
                $options += [PDO::MYSQL_ATTR_SSL_CIPHER => 'ALL', PDO::MYSQL_ATTR_SSL_VERIFY_SERVER_CERT => false];
            } elseif ($tls === 'verified') {
                $options += [PDO::MYSQL_ATTR_SSL_CA => $authority, PDO::MYSQL_ATTR_SSL_VERIFY_SERVER_CERT => true];
            }
            $statement = (new PDO("mysql:host=$host;port=$port;charset=utf8mb4", $user, $password, $options))->prepare($ask);
            $statement->execute(['é']);
            $row = $statement->fetch(PDO::FETCH_NUM);
        } else {
            $one = mysqli_init();
            if ($tls === 'verified') {
                $one->ssl_set(null, null, $authority, null, null);
            }
            $flags = ['off' => 0, 'on' => MYSQLI_CLIENT_SSL | MYSQLI_CLIENT_SSL_DONT_VERIFY_SERVER_CERT, 'verified' => MYSQLI_CLIENT_SSL | MYSQLI_CLIENT_SSL_VERIFY_SERVER_CERT];
            @$one->real_connect($host, $user, $password, null, (int) $port, null, $flags[$tls]);
            $one->set_charset('utf8mb4');
            $row = $one->execute_query($ask, ['é'])->fetch_row();
            $one->close();
        }
        echo implode(' ', $row), "\n";
    } catch (Throwable $error) {
        echo 'failed: ', strtr($error->getMessage(), "\n", ' '), "\n";
    }
}
