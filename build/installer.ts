/** Scripts that are installed beside the executable; a release carries them inside its `install.sh`. */
const CARRIED = ['kedge-killall.sh', 'kedge-uninstall.sh'] as const;
const END = 'END_OF_OWN_SCRIPT';

/**
 * The installer of a release: `scripts/install.sh`, which needs nothing beside it and knows where the release lies.
 * `read` gives the text of a script by name.
 */
export function composeInstaller(read: (name: string) => string, url: string): string {
  const cases = CARRIED.map((name) => {
    const text = read(name);
    if (text.split('\n').includes(END)) throw new Error(`${name} holds a line ${END}`);
    return `    ${name})\n      cat <<'${END}'\n${text}${END}\n      ;;\n`;
  });
  const ownScript = `own_script() {\n  case "$1" in\n${cases.join('')}  esac\n}\n`;
  if (!/^https?:\/\/[\w.:/~@-]+$|^$/.test(url)) throw new Error(`--url=${url} is not a URL of a release`);
  return replaceOnce(
    replaceOnce(read('install.sh'), /^RELEASES=''$/m, `RELEASES='${url}'`),
    /^own_script\(\) \{\n[\s\S]*?^\}\n/m,
    ownScript,
  );
}

function replaceOnce(text: string, pattern: RegExp, by: string): string {
  if (!pattern.test(text)) throw new Error(`install.sh has nothing like ${pattern}`);
  return text.replace(pattern, () => by);
}
