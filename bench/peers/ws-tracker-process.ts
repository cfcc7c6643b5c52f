// bittorrent-tracker (npm) as a process, WebSocket alone. By itself: node … ws-tracker-process.ts PORT

// @ts-expect-error: it comes without types.
import Server from 'bittorrent-tracker/server';

const server = new Server({ udp: false, http: false, ws: true, stats: false });
server.on('warning', () => {});
server.listen(Number(process.argv[2]), '127.0.0.1');
