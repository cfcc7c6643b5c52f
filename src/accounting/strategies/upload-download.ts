// `upload-download`: credited upload divided by credited download must reach a number, once more than
// a grace was downloaded.

import { ratioOf, type Strategy } from './strategy.ts';

export interface UploadDownloadSettings {
  readonly required: number;
  readonly graceBytes: number;
}

export function uploadDownload({ required, graceBytes }: UploadDownloadSettings): Strategy {
  return {
    name: 'upload-download',
    judge({ uploadedBytes, downloadedBytes }) {
      if (downloadedBytes <= graceBytes) {
        return { state: 'met', findings: [{ kind: 'grace', downloadedBytes, graceBytes }] };
      }
      const ratio = ratioOf(uploadedBytes, downloadedBytes);
      return {
        state: ratio >= required ? 'met' : 'short',
        findings: [{ kind: 'ratio', ratio, required }],
      };
    },
  };
}
