<?php
// Uploads a .torrent, looks for it, keeps a blob and makes a share.
//
//   SWARMKEEP_URL=http://127.0.0.1:8080 SWARMKEEP_TOKEN=... php example.php survey.torrent KEPT-HASH

declare(strict_types=1);

require __DIR__ . '/swarmkeep.php';

$truth = fn (bool $is): string => $is ? 'True' : 'False';
$swarmkeep = new Swarmkeep((string) getenv('SWARMKEEP_URL'), (string) getenv('SWARMKEEP_TOKEN'));
echo 'name ', $swarmkeep->me()['name'], "\n";

$words = ['title' => 'Survey by example', 'tags' => 'example'];
$added = $swarmkeep->addTorrent((string) file_get_contents($argv[1]), $words);
$infoHash = $added['torrent']['infoHash'];
echo 'added ', $added['torrent']['title'], "\n";
foreach ($swarmkeep->torrents(['q' => 'survey by example', 'limit' => 1]) as $torrent) {
    echo 'found ', $torrent['title'], "\n";
}
echo 'file ', $truth(str_contains($swarmkeep->torrentFile($infoHash), 'announce')), "\n";

$ref = $swarmkeep->putBlob('hello');
echo "blob $ref ", $swarmkeep->getBlob($ref), "\n";

$share = $swarmkeep->makeShare([['infoHash' => $argv[2]]], 7, ['password' => 'open the door']);
$ids = array_column(iterator_to_array($swarmkeep->shares(), false), 'id');
echo 'share ', $truth(str_contains($share['url'], '/s/')), ' ', $truth(in_array($share['id'], $ids)), "\n";
$swarmkeep->revokeShare($share['id']);

$swarmkeep->removeTorrent($infoHash, 'it was an example');
try {
    $swarmkeep->torrent(str_repeat('0', 40));
} catch (SwarmkeepProblem $problem) {
    echo "refused {$problem->status} {$problem->problemCode}\n";
}
