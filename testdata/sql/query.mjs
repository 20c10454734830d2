// Reads a JSON array of SQL statements from standard input, has DuckDB execute them one after the other, and writes for each
// an array of its rows: objects, with numbers of 64 bits as strings.
import { DuckDBInstance } from '@duckdb/node-api';
import { readFileSync } from 'node:fs';

const db = await DuckDBInstance.create(':memory:');
const connection = await db.connect();
const answers = [];
for (const statement of JSON.parse(readFileSync(0, 'utf8'))) {
  try {
    const reader = await connection.runAndReadAll(statement);
    answers.push(reader.getRowObjectsJson());
  } catch (error) {
    console.error(`${error.message}\nin: ${statement}`);
    process.exit(1);
  }
}
process.stdout.write(JSON.stringify(answers));
