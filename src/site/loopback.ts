// Whether a host can only be this machine.

/** `localhost`, names below it, 127.0.0.0/8, ::1. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  return /^127\.\d+\.\d+\.\d+$/.test(name) || name === '::1' || name.startsWith('::ffff:127.');
}

/** Stands for all addresses of the machine when listened on. */
export function isUnspecified(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}
