// The one script of the site, for the page on which content is uploaded: files and folders are dropped or
// chosen, sent as one resumable upload (tus) with its progress, and gone on with after a line that was cut
// or a page that was closed. Without it the form sends the files as any form does, up to a bound.
//
// It packs the files as archive/ingest/upload-pack.ts says. What it needs stands in the form: `data-uploads`
// is where uploads are made.

export const uploadScript = `'use strict';
(() => {
  const PART_BYTES = 8 * 1024 * 1024;
  const WAIT_MS_MAX = 10000;
  const form = document.querySelector('form[data-uploads]');
  if (form === null) return;
  const uploads = form.dataset.uploads;
  const hidden = form.querySelector('input[name="upload"]');
  const drop = form.querySelector('[data-drop]');
  const list = form.querySelector('[data-chosen]');
  const bar = form.querySelector('progress');
  const state = form.querySelector('[data-state]');
  const pickers = form.querySelectorAll('input[type="file"][name="files"]');
  const button = form.querySelector('button[type="submit"]');
  const tus = { 'tus-resumable': '1.0.0' };
  let chosen = [];

  drop.hidden = false;
  for (const element of form.querySelectorAll('[data-plain]')) element.hidden = true;

  const say = (words) => { state.textContent = words; };
  const sizeWords = (bytes) => {
    const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
    let at = 0;
    let size = bytes;
    while (size >= 1024 && at < units.length - 1) { size /= 1024; at += 1; }
    return (at === 0 ? size : size.toPrecision(3)) + ' ' + units[at];
  };
  const show = () => {
    const bytes = chosen.reduce((sum, one) => sum + one.file.size, 0);
    list.textContent = chosen.length === 0 ? (hidden.value === '' ? 'Nothing chosen yet.' : '')
      : chosen.length + (chosen.length === 1 ? ' file, ' : ' files, ') + sizeWords(bytes);
  };
  const choose = (files) => {
    chosen = files.sort((a, b) => (a.path < b.path ? -1 : 1));
    // Other files than those that a form which was sent back had.
    hidden.value = '';
    show();
    const title = form.querySelector('input[name="title"]');
    if (chosen.length > 0 && title.value === '') title.value = chosen[0].path.split('/')[0];
  };
  const ofInput = (element) => Array.from(element.files, (file) =>
    ({ path: file.webkitRelativePath || file.name, file }));
  for (const element of pickers) {
    element.addEventListener('change', () => choose(ofInput(element)));
  }

  const filesBelow = async (entry, path, into) => {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      into.push({ path: path + entry.name, file });
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (some.length === 0) return;
      for (const one of some) await filesBelow(one, path + entry.name + '/', into);
    }
  };
  drop.addEventListener('dragover', (event) => { event.preventDefault(); drop.dataset.over = ''; });
  drop.addEventListener('dragleave', () => { delete drop.dataset.over; });
  drop.addEventListener('drop', async (event) => {
    event.preventDefault();
    delete drop.dataset.over;
    const entries = Array.from(event.dataTransfer.items, (item) => item.webkitGetAsEntry());
    const found = [];
    for (const entry of entries) if (entry !== null) await filesBelow(entry, '', found);
    choose(found);
  });

  const packOf = (files) => {
    const text = new TextEncoder().encode(JSON.stringify(files.map((one) => [one.path, one.file.size])));
    const head = new Uint8Array(12);
    head.set(new TextEncoder().encode('SKUPLD1\\n'));
    new DataView(head.buffer).setUint32(8, text.length, true);
    return new Blob([head, text, ...files.map((one) => one.file)]);
  };
  /** By which the same files are known again after the page was closed. */
  const keyOf = (files) => 'upload ' + files.map((one) =>
    one.path + ' ' + one.file.size + ' ' + one.file.lastModified).join('\\n');
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  const offsetOf = async (path) => {
    const head = await fetch(path, { method: 'HEAD', headers: tus });
    if (head.status === 404 || head.status === 410 || head.status === 403) return undefined;
    if (!head.ok) throw new Error('HEAD ' + head.status);
    return Number(head.headers.get('upload-offset'));
  };
  const begin = async (pack) => {
    const headers = { ...tus, 'upload-length': String(pack.size) };
    const made = await fetch(uploads, { method: 'POST', headers });
    if (!made.ok) throw new Error((await made.text()).slice(0, 300));
    return made.headers.get('location');
  };
  const sendPart = (path, part, offset, onSent) => new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('PATCH', path);
    request.setRequestHeader('tus-resumable', '1.0.0');
    request.setRequestHeader('content-type', 'application/offset+octet-stream');
    request.setRequestHeader('upload-offset', String(offset));
    request.upload.onprogress = (event) => onSent(offset + event.loaded);
    request.onload = () => (request.status === 204
      ? resolve(Number(request.getResponseHeader('upload-offset')))
      : reject(new Error('PATCH ' + request.status)));
    request.onerror = () => reject(new Error('the line was cut'));
    request.send(part);
  });

  const send = async (files) => {
    const pack = packOf(files);
    const key = keyOf(files);
    let path = localStorage.getItem(key) ?? undefined;
    let offset = path === undefined ? undefined : await offsetOf(path).catch(() => undefined);
    if (offset === undefined) {
      path = await begin(pack);
      offset = 0;
      localStorage.setItem(key, path);
    }
    const startedMs = performance.now();
    const startedAt = offset;
    bar.hidden = false;
    bar.max = pack.size;
    const onSent = (sent) => {
      bar.value = sent;
      const rate = (sent - startedAt) / Math.max(1, performance.now() - startedMs) * 1000;
      say(sizeWords(sent) + ' of ' + sizeWords(pack.size) + ', ' + sizeWords(Math.round(rate)) + ' a second');
    };
    for (let waitMs = 500; offset < pack.size;) {
      try {
        const part = pack.slice(offset, offset + PART_BYTES);
        offset = await sendPart(path, part, offset, onSent);
        waitMs = 500;
      } catch (error) {
        say('Waiting to go on: ' + error.message + '.');
        await pause(waitMs);
        waitMs = Math.min(WAIT_MS_MAX, waitMs * 2);
        const reached = await offsetOf(path).catch(() => offset);
        if (reached === undefined) {
          localStorage.removeItem(key);
          throw new Error('The upload is gone. Send it again.');
        }
        offset = reached;
      }
      onSent(offset);
    }
    localStorage.removeItem(key);
    return path.slice(path.lastIndexOf('/') + 1);
  };

  form.addEventListener('submit', async (event) => {
    if (hidden.value !== '') return;
    event.preventDefault();
    if (chosen.length === 0) { say('Choose files or a folder first.'); return; }
    button.disabled = true;
    try {
      hidden.value = await send(chosen);
      say('All of it is here. The torrent is being made.');
      for (const element of pickers) element.disabled = true;
      form.submit();
    } catch (error) {
      button.disabled = false;
      say('It did not work: ' + error.message);
    }
  });
  show();
})();
`;
