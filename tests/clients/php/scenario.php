<?php
// What all PHP programs share: the transcript and the statements.
declare(strict_types=1);
error_reporting(E_ALL & ~E_DEPRECATED);
ini_set('precision', '17');

[, $mode, $host, $port, $user, $password, $schema] = $argv;
$statements = json_decode(file_get_contents(__DIR__ . '/../statements.json'), true, 512, JSON_THROW_ON_ERROR);

/** One line of the transcript. */
function say(string $what, mixed $value): void
{
    $flags = JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR;
    echo json_encode(['what' => $what, 'saw' => $value], $flags), "\n";
}

/** The statement of this name. */
function statement(string $name, array $fill = []): string
{
    global $statements;
    return strtr($statements[$name], $fill);
}

/** The text of rows of an import. */
function import_rows(int $from, int $to): string
{
    $rows = [];
    for ($id = $from; $id < $to; $id++) {
        $rows[] = "($id, 'name $id é', " . ($id % 100) . '.25)';
    }
    return implode(', ', $rows);
}

/** The file for LOAD DATA LOCAL. */
function import_file(): string
{
    $path = tempnam(sys_get_temp_dir(), 'import');
    $lines = '';
    for ($id = 10000; $id < 13000; $id++) {
        $lines .= "$id\tloaded $id\t" . ($id % 7) . ".50\n";
    }
    file_put_contents($path, $lines);
    return $path;
}

/** The scenario. The client hands in how it runs a statement. */
function scenario(object $client): void
{
    global $statements;
    $page = function (string $phase) use ($client) {
        $fill = ['{phase}' => $phase];
        say("$phase latest", $client->rows(statement('latest', $fill), [7]));
        say("$phase count", $client->rows(statement('count', $fill), [7]));
        say("$phase one", $client->rows(statement('one', $fill), [107]));
        say("$phase one again", $client->rows(statement('one', $fill), [108]));
        say("$phase none", $client->rows(statement('one', $fill), [4000000]));
        say("$phase join", $client->rows(statement('join', $fill), [7, '1000.50']));
        say("$phase metadata", $client->columns(statement('latest', $fill), [7]));
    };
    $checkout = function (bool $commit) use ($client) {
        $client->begin();
        say('lock', $client->rows(statement('lock'), [3]));
        say('take', $client->write(statement('take'), [2, 3]));
        say('order', $client->write(statement('order'), [7, '39.98', '{"gift": "🎁"}', null]));
        $id = $client->insert_id();
        say('insert id', $id);
        say('item', $client->write(statement('last_item'), [1, 3, 2]));
        say('item', $client->write(statement('item'), [$id, 2, 4, 1]));
        say('last id', $client->rows(statement('last_id'), []));
        $client->end($commit);
    };
    $page('before');
    $checkout(true);
    $page('bought');
    $checkout(false);
    $page('returned');

    for ($from = 0; $from < 4000; $from += 1000) {
        say('import', $client->write(statement('import', ['{rows}' => import_rows($from, $from + 1000)]), []));
    }
    say('upsert', $client->write(statement('upsert', ['{rows}' => import_rows(3500, 5000)]), []));
    $path = import_file();
    say('load', $client->write("LOAD DATA LOCAL INFILE '$path' INTO TABLE imports CHARACTER SET utf8mb4 (id, name, amount)", []));
    unlink($path);
    say('imported', $client->rows(statement('imported'), []));

    foreach ($statements['errors'] as $text) {
        say('error', $client->error($text));
    }
    say('alive', $client->rows('SELECT 1 AS one', []));
    say('million', $client->million(statement('million')));
    say('alive', $client->rows('SELECT 2 AS two', []));
}

/** Count and checksum of streamed rows. */
final class Sum
{
    private int $count = 0;
    private int $sum = 0;
    private int $bytes = 0;

    public function add(array $row): void
    {
        $this->count++;
        $this->sum += (int) $row[0];
        $this->bytes += strlen($row[1]);
    }

    public function total(): array
    {
        return ['count' => $this->count, 'sum' => $this->sum, 'bytes' => $this->bytes];
    }
}
