// Makes dist/: the module as the server serves it, and its types. `npm pack` runs it.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const path = here + '../src/whodid/web/static/logger.js';

// Texts and patterns, which stay as they are; else what means nothing. The same as in `src/whodid/web/logger.py`.
const words =
  /('(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|\/(?![*/ =])(?:\\.|\[(?:\\.|[^\]])*\]|[^/\\\n])+\/)|\/\*[\s\S]*?\*\/|\/\/.*|;(?=\s*\})|,(?=\s*[)}\]])|\s+/g;

/** A module without its comments, without the spaces and signs that mean nothing, and with numbers for their names. */
export function packed(source) {
  let [text, end] = ['', 0];
  for (const found of source.matchAll(words)) {
    text += source.slice(end, found.index);
    end = found.index + found[0].length;
    if (found[1]) text += found[1];
    else if (!found[0].trim() && /[\w$] [\w$]/.test(text.slice(-1) + ' ' + source.slice(end, end + 1))) text += ' ';
  }
  text += source.slice(end);
  const number = /const ([A-Z_]+)=([0-9_]+);/g;
  const numbers = Object.fromEntries(
    [...text.matchAll(number)].map(([, name, digits]) => [name, digits.replaceAll('_', '')]),
  );
  return text.replace(number, '').replace(/\b[A-Z_]+\b/g, (name) => numbers[name] ?? name);
}

mkdirSync(here + 'dist', { recursive: true });
writeFileSync(here + 'dist/logger.js', packed(readFileSync(path, 'utf8')));
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
