<?php
// PDO. Modes: native (prepared by the server), emulated (by the client), laravel (native, opened as Laravel does).
declare(strict_types=1);
require __DIR__ . '/scenario.php';

final class PdoClient
{
    private PDO $pdo;

    public function __construct(string $mode, private array $login)
    {
        $this->pdo = $this->connect($mode === 'emulated');
        if ($mode === 'laravel') {
            $opening = "set names 'utf8mb4' collate 'utf8mb4_unicode_ci', SESSION sql_mode='ONLY_FULL_GROUP_BY,"
                . 'STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION\';';
            $this->pdo->prepare($opening)->execute();
        }
        $variables = 'SELECT @@session.sql_mode AS mode, @@session.collation_connection AS collation';
        say('session', $this->rows($variables, []));
    }

    private function connect(bool $emulated): PDO
    {
        [$host, $port, $user, $password, $schema] = $this->login;
        return new PDO("mysql:host=$host;port=$port;dbname=$schema;charset=utf8mb4", $user, $password, [
            PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
            PDO::ATTR_EMULATE_PREPARES => $emulated,
            PDO::ATTR_STRINGIFY_FETCHES => false,
            PDO::MYSQL_ATTR_LOCAL_INFILE => true,
        ]);
    }

    /** One prepare, execute and close, as Laravel does for every query. */
    private function run(string $text, array $values): PDOStatement
    {
        $statement = $this->pdo->prepare($text);
        foreach ($values as $index => $value) {
            $type = is_int($value) ? PDO::PARAM_INT : ($value === null ? PDO::PARAM_NULL : PDO::PARAM_STR);
            $statement->bindValue($index + 1, $value, $type);
        }
        $statement->execute();
        return $statement;
    }

    public function rows(string $text, array $values): array
    {
        return $this->run($text, $values)->fetchAll(PDO::FETCH_ASSOC);
    }

    public function columns(string $text, array $values): array
    {
        $statement = $this->run($text, $values);
        $columns = array_map(fn ($index) => $statement->getColumnMeta($index), range(0, $statement->columnCount() - 1));
        $statement->closeCursor();
        return $columns;
    }

    public function write(string $text, array $values): int
    {
        // PDO cannot prepare LOAD DATA LOCAL.
        return $values === [] ? $this->pdo->exec($text) : $this->run($text, $values)->rowCount();
    }

    public function insert_id(): string
    {
        return $this->pdo->lastInsertId();
    }

    public function begin(): void
    {
        $this->pdo->beginTransaction();
    }

    public function end(bool $commit): void
    {
        $commit ? $this->pdo->commit() : $this->pdo->rollBack();
    }

    public function error(string $text): array
    {
        try {
            $this->run($text, [])->fetchAll();
            return ['none'];
        } catch (PDOException $error) {
            return $error->errorInfo;
        }
    }

    /** What only PDO has. */
    public function more(): void
    {
        $this->pdo->exec('CREATE PROCEDURE two(IN a INT) BEGIN SELECT a AS a; SELECT name FROM customers LIMIT 2; END');
        $call = $this->run('CALL two(?)', [7]);
        do {
            say('call', $call->columnCount() ? $call->fetchAll(PDO::FETCH_NUM) : 'no rows');
        } while ($call->nextRowset());
        $call->closeCursor();
        $this->pdo->exec('DROP PROCEDURE two');
        // One statement, executed many times, with writes of another between.
        $read = $this->pdo->prepare('SELECT seen FROM imports WHERE id = ?');
        $write = $this->pdo->prepare('UPDATE imports SET seen = seen + ? WHERE id = ?');
        for ($i = 1; $i <= 5; $i++) {
            $read->execute([$i]);
            $before = $read->fetchColumn();
            $write->execute([$i, $i]);
            $read->execute([$i]);
            say('again', [$before, $write->rowCount(), $read->fetchColumn()]);
        }
        // Columns that appear after the statement was prepared.
        $all = $this->pdo->prepare('SELECT * FROM digits ORDER BY d LIMIT 2');
        $all->execute();
        say('narrow', $all->fetchAll(PDO::FETCH_ASSOC));
        $this->pdo->exec('ALTER TABLE digits ADD COLUMN e VARCHAR(9) DEFAULT "é"');
        $all->execute();
        say('wide', $all->fetchAll(PDO::FETCH_ASSOC));
        $this->pdo->exec('ALTER TABLE digits DROP COLUMN e');
        say('narrow', $this->run('SELECT * FROM digits ORDER BY d LIMIT 2', [])->fetchAll(PDO::FETCH_ASSOC));
        say('quoted', $this->rows("SELECT 'it''s' AS a, ? AS b", ["it's \\ 🎁 \n x"]));
        say('types', $this->rows('SELECT CAST(1 AS UNSIGNED) a, 1.50 b, 1e3 c, NULL d, NOW() > 0 e, TRUE f, b\'101\' g, DATE(\'2024-01-02\') h, TIME(\'-100:00:01\') i, YEAR(20240101) j, 18446744073709551615 k, -9223372036854775808 l', []));
        say('attributes', [$this->pdo->getAttribute(PDO::ATTR_DRIVER_NAME), $this->pdo->inTransaction()]);
    }

    public function million(string $text): array
    {
        $emulated = (bool) $this->pdo->getAttribute(PDO::ATTR_EMULATE_PREPARES);
        $pdo = $this->connect($emulated);
        $pdo->setAttribute(PDO::MYSQL_ATTR_USE_BUFFERED_QUERY, false);
        $sum = new Sum();
        $statement = $pdo->prepare($text);
        $statement->execute();
        while ($row = $statement->fetch(PDO::FETCH_NUM)) {
            $sum->add($row);
        }
        return $sum->total();
    }
}

$client = new PdoClient($mode, [$host, (int) $port, $user, $password, $schema]);
scenario($client);
$client->more();
