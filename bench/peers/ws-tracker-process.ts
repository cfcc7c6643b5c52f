// bittorrent-tracker (npm) as a process, WebSocket alone. By itself: node … ws-tracker-process.ts PORT

/** What is used of it; it comes without types. */
interface TrackerServer {
  on(event: 'warning', listener: () => void): void;
  listen(port: number, hostname: string): void;
}

const { default: Server } = (await import('bittorrent-tracker/server' as string)) as {
  default: new (options: Readonly<Record<string, boolean>>) => TrackerServer;
};
const server = new Server({ udp: false, http: false, ws: true, stats: false });
server.on('warning', () => {});
server.listen(Number(process.argv[2]), '127.0.0.1');
