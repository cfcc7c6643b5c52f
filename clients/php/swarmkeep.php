<?php
// A client of Swarmkeep's API: one file, without an extension (PHP 8.1 or newer; https needs openssl).
//
//   require 'swarmkeep.php';
//
//   $swarmkeep = new Swarmkeep('https://swarm.example.org', token: '...');
//   foreach ($swarmkeep->torrents(['q' => 'rain']) as $torrent) echo $torrent['title'], "\n";
//
// A token is made on the site, under your name. Answers are arrays as docs/generated/api.md describes them;
// routes without a method of their own are reached by `call`. What is refused throws a SwarmkeepProblem.

declare(strict_types=1);

/** What was refused: `status` of HTTP, `problemCode` for programs, `errors` by field. */
final class SwarmkeepProblem extends RuntimeException
{
    public readonly string $problemCode;
    public readonly array $errors;

    public function __construct(public readonly int $status, array $said)
    {
        // The site says what is wrong at the top, the store below `error`.
        $said = $said['error'] ?? $said;
        $this->problemCode = $said['code'] ?? 'failed';
        $this->errors = $said['errors'] ?? [];
        parent::__construct($said['detail'] ?? $said['message'] ?? "The server answered $status");
    }
}

final class Swarmkeep
{
    private const API = '/api/v1';

    private readonly string $url;

    public function __construct(
        string $url,
        private readonly ?string $token = null,
        private readonly float $timeout = 60.0,
    ) {
        $this->url = rtrim($url, '/');
    }

    /** Who the token acts for, what they gave and took. */
    public function me(): array
    {
        return $this->call('GET', self::API . '/me');
    }

    /** Every torrent that fits, page after page: q, category, tags, sort, seeds, mine, limit. */
    public function torrents(array $filters = []): Generator
    {
        return $this->pages(self::API . '/torrents', $filters);
    }

    public function torrent(string $infoHash): array
    {
        return $this->call('GET', self::API . '/torrents/' . rawurlencode($infoHash));
    }

    /** Words: title, category, tags (with commas between), description. */
    public function addTorrent(string $torrentFile, array $words = []): array
    {
        return $this->call(
            'POST',
            self::API . '/torrents',
            query: $words,
            body: $torrentFile,
            type: 'application/x-bittorrent',
        );
    }

    /** The .torrent with the member's own announce URLs. */
    public function torrentFile(string $infoHash): string
    {
        return $this->call('GET', self::API . '/torrents/' . rawurlencode($infoHash) . '/file');
    }

    public function removeTorrent(string $infoHash, string $reason): void
    {
        $path = self::API . '/torrents/' . rawurlencode($infoHash);
        $this->call('DELETE', $path, query: ['reason' => $reason]);
    }

    /** Stores at most 16 MiB and returns their name; they are on disk then. */
    public function putBlob(string $content): string
    {
        $ref = self::blobRef($content);
        $path = "/api/store/blobs/$ref";
        $this->call('PUT', $path, body: $content, type: 'application/octet-stream');
        return $ref;
    }

    /** The bytes of that name, compared with it. */
    public function getBlob(string $ref): string
    {
        $content = $this->call('GET', '/api/store/blobs/' . rawurlencode($ref));
        if (self::blobRef($content) !== $ref) {
            throw new UnexpectedValueException("The bytes are not those of $ref");
        }
        return $content;
    }

    public function shares(): Generator
    {
        return $this->pages(self::API . '/me/shares', []);
    }

    /** Items are ['infoHash' => ..., 'entry' => ...]; options: label, password, downloadsMax. */
    public function makeShare(array $items, int $days, array $options = []): array
    {
        $value = ['items' => $items, 'days' => $days, ...$options];
        return $this->call('POST', self::API . '/me/shares', value: $value);
    }

    public function revokeShare(int $id): void
    {
        $this->call('DELETE', self::API . "/me/shares/$id");
    }

    /** Every item of a list. */
    public function pages(string $path, array $query): Generator
    {
        do {
            $page = $this->call('GET', $path, query: $query);
            yield from array_values($page['items']);
            $query['cursor'] = $page['nextCursor'];
        } while ($page['nextCursor'] !== null);
    }

    /** JSON is returned as what it says, nothing as null, anything else as bytes. */
    public function call(
        string $method,
        string $path,
        array $query = [],
        mixed $value = null,
        ?string $body = null,
        string $type = 'application/json',
    ): mixed {
        $body = $value === null ? $body : json_encode($value, JSON_THROW_ON_ERROR);
        $url = $this->url . $path . ($query === [] ? '' : '?' . http_build_query($query));
        $headers = ['connection: close'];
        if ($this->token !== null) $headers[] = "authorization: Bearer {$this->token}";
        if ($body !== null) $headers[] = "content-type: $type";
        $http = [
            'method' => $method,
            'header' => $headers,
            'ignore_errors' => true,
            'follow_location' => 0,
            'timeout' => $this->timeout,
        ];
        if ($body !== null) $http['content'] = $body;
        $stream = @fopen($url, 'rb', false, stream_context_create(['http' => $http]));
        if ($stream === false) throw new RuntimeException("Cannot reach {$this->url}");
        $lines = stream_get_meta_data($stream)['wrapper_data'];
        $content = stream_get_contents($stream);
        fclose($stream);
        preg_match('{^HTTP/\S+ (\d+)}', $lines[0], $found);
        $status = (int) $found[1];
        if ($status >= 300) {
            $said = json_decode((string) $content, true);
            throw new SwarmkeepProblem($status, is_array($said) ? $said : []);
        }
        if ($status === 204) return null;
        $isJson = preg_grep('{^content-type: application/json\b}i', $lines) !== [];
        return $isJson ? json_decode($content, true, 512, JSON_THROW_ON_ERROR) : $content;
    }

    /** The name of bytes in the store. */
    public static function blobRef(string $content): string
    {
        return 'sha256-' . hash('sha256', $content);
    }
}
