<?php
// Logs in, asks with a parameter, and prints the account: probe.php DRIVER HOST PORT USER PASSWORD off|on. `on`: only with TLS.
declare(strict_types=1);
[, $driver, $host, $port, $user, $password, $tls] = $argv;
$ask = 'SELECT CURRENT_USER(), ?';
if ($driver === 'pdo') {
    $options = [PDO::ATTR_EMULATE_PREPARES => false];
    if ($tls === 'on') {
        $options += [PDO::MYSQL_ATTR_SSL_CIPHER => 'ALL', PDO::MYSQL_ATTR_SSL_VERIFY_SERVER_CERT => false];
    }
    $statement = (new PDO("mysql:host=$host;port=$port;charset=utf8mb4", $user, $password, $options))->prepare($ask);
    $statement->execute(['é']);
    $row = $statement->fetch(PDO::FETCH_NUM);
} else {
    mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
    $one = mysqli_init();
    $flags = $tls === 'on' ? MYSQLI_CLIENT_SSL | MYSQLI_CLIENT_SSL_DONT_VERIFY_SERVER_CERT : 0;
    $one->real_connect($host, $user, $password, null, (int) $port, null, $flags);
    $one->set_charset('utf8mb4');
    $row = $one->execute_query($ask, ['é'])->fetch_row();
}
echo implode(' ', $row), "\n";
