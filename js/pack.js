// Makes dist/: the module as the server serves it, and its types. `npm pack` runs it.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const source = here + '../src/whodid/web/static/logger.js';

// Texts and patterns, which stay as they are; else what means nothing. The same as in `src/whodid/web/logger.py`.
const words =
  /('(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|\/(?![*/ =])(?:\\.|\[(?:\\.|[^\]])*\]|[^/\\\n])+\/)|\/\*[\s\S]*?\*\/|\/\/.*|;(?=\s*\})|,(?=\s*[)}\]])|\s+/g;

/** A module without its comments and without the spaces and signs that mean nothing. */
export function packed(text) {
  let [result, end] = ['', 0];
  for (const found of text.matchAll(words)) {
    result += text.slice(end, found.index);
    end = found.index + found[0].length;
    if (found[1]) result += found[1];
    else if (!found[0].trim() && /[\w$] [\w$]/.test(result.slice(-1) + ' ' + text.slice(end, end + 1))) result += ' ';
  }
  return result + text.slice(end);
}

mkdirSync(here + 'dist', { recursive: true });
writeFileSync(here + 'dist/logger.js', packed(readFileSync(source, 'utf8')));
const types = [
  '--declaration',
  '--emitDeclarationOnly',
  '--noEmit',
  'false',
  '--rootDir',
  '../src/whodid/web/static',
  '--outDir',
  'dist',
];
execFileSync(process.execPath, [here + 'node_modules/typescript/bin/tsc', '-p', here, ...types], {
  cwd: here,
  stdio: 'inherit',
});
