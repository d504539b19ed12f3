// Reads {name: OpenAPI document} from standard input and writes one file of types for each into the folder given.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { argv, stdin } from 'node:process';
import openapi, { astToString } from 'openapi-typescript';

let text = '';
for await (const piece of stdin) text += piece;
await mkdir(argv[2], { recursive: true });
for (const [name, document] of Object.entries(JSON.parse(text))) {
  const types = astToString(await openapi(document, { alphabetize: true }));
  await writeFile(join(argv[2], `${name}.ts`), types);
}
