/** How many bytes a base64 text stands for. Cheap: nothing is decoded. */
export function decodedBytes(base64: string): number {
  const padding = base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0;
  return Math.max(0, Math.floor((base64.replaceAll(/\s/g, '').length * 3) / 4) - padding);
}

/** The text that base64 stands for, for checks of its content. */
export function decodedText(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8');
}
