// Pictures by ffmpeg and facts by ffprobe, which are not trusted with anything: each is a process of its own
// that reads a pipe and writes a pipe, may open no file and no connection, knows a few formats only, gives
// way to everything else on the machine, and ends when its time, its processor time, its memory or its
// answer is too much.

import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { factsOfProbe } from '#site/previews/media-facts.ts';
import type { PreviewMaker } from '#site/previews/previews-job.ts';

const PIXELS_MAX = 320;
const MS_MAX = 20_000;
const CPU_SECONDS_MAX = 10;
const MEMORY_KIB_MAX = 1_500_000;
/** Of a file, at most: a film shows itself in its beginning or not at all. */
const INPUT_BYTES_MAX = 64 * 1024 * 1024;
const OUTPUT_BYTES_MAX = 1024 * 1024;
const FORMATS =
  'jpeg_pipe,png_pipe,gif,webp_pipe,mov,mp4,m4a,matroska,webm,avi,mp3,flac,ogg,image2pipe';
/** The name of the limits' shell is $0; what follows is ffmpeg's. */
const LIMITED = `ulimit -v ${MEMORY_KIB_MAX}; ulimit -t ${CPU_SECONDS_MAX}; ulimit -c 0; exec nice -n 19 "$0" "$@"`;

/** Where the shell looks for what it starts; nothing else of the environment is passed on. */
const SEARCHED = '/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin';

const INPUT = [
  ...['-protocol_whitelist', 'pipe', '-format_whitelist', FORMATS],
  ...['-probesize', '16M', '-analyzeduration', '5M', '-i', 'pipe:0'],
];

function pictureArguments(pixelsMax: number): readonly string[] {
  const [width, height] = [`min(${pixelsMax},iw)`, `min(${pixelsMax},ih)`];
  return [
    ...['-nostdin', '-hide_banner', '-v', 'error', '-threads', '1'],
    ...INPUT,
    ...['-map', '0:v:0', '-frames:v', '1', '-an', '-sn', '-dn', '-map_metadata', '-1'],
    ...['-vf', `scale=w='${width}':h='${height}':force_original_aspect_ratio=decrease`],
    ...['-pix_fmt', 'yuvj420p', '-c:v', 'mjpeg', '-q:v', '5', '-f', 'image2pipe'],
    ...['-protocol_whitelist', 'pipe', 'pipe:1'],
  ];
}

const ASKED =
  'format=duration:stream=codec_type,codec_name,width,height,channels:stream_disposition=attached_pic';
const PROBE_ARGUMENTS = ['-v', 'error', '-of', 'json', '-show_entries', ASKED, ...INPUT];

/** Undefined where there is no ffmpeg. `program` is looked for as the shell does. */
export async function findFfmpeg(program = 'ffmpeg'): Promise<PreviewMaker | undefined> {
  try {
    const { stdout } = await promisify(execFile)(program, ['-version'], {
      timeout: MS_MAX,
      env: { PATH: SEARCHED },
    });
    const version = /^ffmpeg version (\S{1,60})/.exec(stdout)?.[1];
    if (version === undefined) return undefined;
    const probe = program.replace(/ffmpeg$/, 'ffprobe');
    return {
      name: 'ffmpeg',
      make: (content, signal, pixelsMax = PIXELS_MAX) =>
        answerOf([program, ...pictureArguments(pixelsMax)], content, signal),
      async facts(content, signal) {
        const told = await answerOf([probe, ...PROBE_ARGUMENTS], content, signal);
        return told && factsOfProbe(Buffer.from(told).toString('utf8'));
      },
    };
  } catch {
    return undefined;
  }
}

async function answerOf(
  words: readonly string[],
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(MS_MAX)]);
  const child = spawn('/bin/sh', ['-c', LIMITED, ...words], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { PATH: SEARCHED },
    signal: limit,
    killSignal: 'SIGKILL',
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null));
    child.once('close', (code) => resolve(code));
  });
  // It closes its input as soon as it has its picture.
  child.stdin.on('error', () => undefined);
  const parts: Uint8Array[] = [];
  let bytes = 0;
  child.stdout.on('data', (part: Buffer) => {
    bytes += part.length;
    if (bytes > OUTPUT_BYTES_MAX) child.kill('SIGKILL');
    else parts.push(part);
  });
  const fed = feed(child.stdin, content, limit).catch(() => undefined);
  const code = await ended;
  child.stdin.destroy();
  await fed;
  signal.throwIfAborted();
  return code === 0 && bytes > 0 && bytes <= OUTPUT_BYTES_MAX ? Buffer.concat(parts) : undefined;
}

async function feed(
  into: NodeJS.WritableStream & { readonly destroyed?: boolean },
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  let fed = 0;
  for await (const part of content) {
    if (into.destroyed === true || signal.aborted || fed >= INPUT_BYTES_MAX) break;
    fed += part.length;
    if (!into.write(part)) await drained(into, signal);
  }
  into.end();
}

function drained(into: NodeJS.WritableStream, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const name of ['drain', 'close', 'error']) into.removeListener(name, done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    for (const name of ['drain', 'close', 'error']) into.on(name, done);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}
