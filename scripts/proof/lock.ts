import { DatabaseSync } from "node:sqlite";

/**
 * Does the work while nobody else does work under the same lock: two at once would take the same seeds. The lock is a transaction on a file,
 * so that it is free again however its holder ended.
 *
 * @throws Error when somebody holds it.
 */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  const lock = new DatabaseSync(file);
  try {
    try {
      lock.exec("BEGIN EXCLUSIVE");
    } catch (error) {
      throw new Error(`Another \`npm run proof\` is at work here (${file} is locked).`, { cause: error });
    }
    return await work();
  } finally {
    lock.close();
  }
}
