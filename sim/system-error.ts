// An error as Node gives it for a call of the operating system.

export function systemError(code: string, operation: string, path: string): Error {
  return Object.assign(new Error(`${code}: simulated disk, ${operation} "${path}"`), { code });
}
